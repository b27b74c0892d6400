"""What trainings left in CORPUS/runs: metrics as curves, evaluations as tables."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.corpus import Corpus
from pipeline.report.charts import LineChart, line_chart


@dataclass(frozen=True)
class Figure:
    """One measured share beside what chance gives."""

    label: str
    value: float
    chance: float
    interval: tuple[float, float] | None  # 95%


@dataclass(frozen=True)
class Run:
    """One training."""

    name: str
    charts: list[LineChart]
    steps: int
    figures: list[Figure]


def read_runs(corpus: Corpus) -> list[Run]:
    """Every run of the corpus that has metrics or an evaluation."""
    if not corpus.exists("runs"):
        return []
    names = sorted(path.rsplit("/", 1)[-1] for path in corpus.filesystem.ls(corpus.path("runs"), detail=False))
    runs = []
    for name in names:
        metrics = _read_metrics(corpus, name) if corpus.exists("runs", name, "metrics.jsonl") else []
        evaluated = corpus.exists("runs", name, "evaluation.json")
        figures = evaluated_figures(corpus.read_json("runs", name, "evaluation.json")["figures"]) if evaluated else []
        if metrics or figures:
            steps = max((int(line["step"]) for line in metrics), default=0)
            runs.append(Run(name, training_charts(metrics), steps, figures))
    return runs


def training_charts(metrics: list[Mapping[str, Any]]) -> list[LineChart]:
    """The losses in one chart, every other number in a chart of its own."""
    series: dict[str, list[tuple[float, float]]] = {}
    for line in metrics:
        for key, value in line.items():
            if key != "step" and isinstance(value, int | float) and math.isfinite(value):
                series.setdefault(key, []).append((line["step"], value))
    losses = {key: pairs for key, pairs in series.items() if key.startswith("loss")}
    others = {key: pairs for key, pairs in series.items() if key not in losses}
    charts = [line_chart("loss", losses)] if losses else []
    return charts + [line_chart(key, {key: pairs}) for key, pairs in others.items()]


def evaluated_figures(figures: Mapping[str, float]) -> list[Figure]:
    """The figures of an evaluation that have a chance (`KEY_chance`) beside them."""
    return [
        Figure(
            label=_label(key),
            value=value,
            chance=figures[f"{key}_chance"],
            interval=(figures[f"{key}_low"], figures[f"{key}_high"]) if f"{key}_low" in figures else None,
        )
        for key, value in figures.items()
        if f"{key}_chance" in figures
    ]


def _label(key: str) -> str:
    """`retrieval_val_text_to_3d_r1` as people write it: `retrieval val text to 3d R@1`."""
    words = re.sub(r"_r(\d+)$", r" R@\1", key)
    return re.sub(r"_top(\d+)$", r" top-\1", words).replace("_", " ")


def _read_metrics(corpus: Corpus, run: str) -> list[dict[str, Any]]:
    with corpus.filesystem.open(corpus.path("runs", run, "metrics.jsonl"), "rb") as file:
        lines = file.read().decode("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]  # a killed training may leave half a line
