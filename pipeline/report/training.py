"""The training runs in CORPUS/runs: metrics as curves, evaluations as tables."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.reading.run_metrics import read_metrics
from pipeline.report.charts import LineChart, line_chart
from pipeline.store.corpus_store import CorpusStore


@dataclass(frozen=True)
class Figure:
    """One measured share beside what chance gives."""

    name: str  # R@1, top-5, …; empty for a figure that stands alone
    value: float
    chance: float
    interval: tuple[float, float] | None  # 95%


@dataclass(frozen=True)
class FigureRow:
    """Figures of one measurement that differ in how many guesses count."""

    label: str
    figures: list[Figure]


@dataclass(frozen=True)
class Run:
    """One training."""

    name: str
    charts: list[LineChart]
    steps: int
    measured: list[FigureRow]


def read_runs(corpus: CorpusStore) -> list[Run]:
    """Every run of the corpus that has metrics or an evaluation."""
    runs = []
    for name in corpus.names("runs"):
        metrics = read_metrics(corpus, name)
        evaluated = corpus.exists("runs", name, "evaluation.json")
        measured = evaluated_figures(corpus.read_json("runs", name, "evaluation.json")["figures"]) if evaluated else []
        if metrics or measured:
            steps = max((int(line["step"]) for line in metrics), default=0)
            runs.append(Run(name, training_charts(metrics), steps, measured))
    return runs


def training_charts(metrics: Sequence[Mapping[str, float]]) -> list[LineChart]:
    """The losses in one chart, every other number in a chart of its own."""
    series: dict[str, list[tuple[float, float]]] = {}
    for line in metrics:
        for key, value in line.items():
            if key != "step" and isinstance(value, int | float) and math.isfinite(value):
                series.setdefault(key, []).append((line["step"], value))
    losses = {key: pairs for key, pairs in series.items() if "loss" in key}
    others = {key: pairs for key, pairs in series.items() if key not in losses}
    charts = [line_chart("loss", losses)] if losses else []
    return charts + [line_chart(key, {key: pairs}) for key, pairs in others.items()]


def evaluated_figures(figures: Mapping[str, float]) -> list[FigureRow]:
    """The figures of an evaluation that have a chance (`KEY_chance`) beside them; `…_r1`, `…_r5` make one row."""
    rows: dict[str, list[Figure]] = {}
    for key, value in figures.items():
        if f"{key}_chance" not in figures:
            continue
        guesses = re.search(r"_(r|top)(\d+)$", key)
        stem = key[: guesses.start()] if guesses else key
        interval = (figures[f"{key}_low"], figures[f"{key}_high"]) if f"{key}_low" in figures else None
        name = f"{'R@' if guesses[1] == 'r' else 'top-'}{guesses[2]}" if guesses else ""
        rows.setdefault(stem.replace("_", " "), []).append(Figure(name, value, figures[f"{key}_chance"], interval))
    return [FigureRow(label, found) for label, found in rows.items()]
