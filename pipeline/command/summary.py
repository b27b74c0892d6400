"""The end of a run: CORPUS/summary.json, and the same as a table."""

import statistics
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.base.plain_text import plain_line
from pipeline.command.status import count_stages
from pipeline.stages.config import Config
from pipeline.stages.registry import CORPUS_STAGES, SHARD_STAGES
from pipeline.state.ledger import Ledger
from pipeline.state.records import find_done, read_manifest
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import FOLDER, find_packed_manifest

FAILURES_SHOWN = 10
SHOWN_FIGURES = ("_r1", "_top1")  # summary.json has all
REASON_CHARACTERS = 300


def write_summary(corpus: CorpusStore, config: Config) -> dict[str, Any]:
    """Gather the figures of a corpus, write them to summary.json and return them.

    Keys: objects, triplets, errors, psnr_median (dB), bytes_per_object (of the packed triplets), stages (by name: done,
    failed, seconds), and the figures of the evaluate stage: retrieval and classification, each KEY beside KEY_chance.
    """
    manifest = read_manifest(corpus)
    stages = _shard_stages(corpus, config, manifest.shards) | _corpus_stages(corpus)
    triplets, size = _triplets(corpus)
    evaluated = find_done(corpus, "evaluate")
    summary = {
        "objects": manifest.objects,
        "triplets": triplets,
        "errors": sum(stage["failed"] for stage in stages.values()),
        "psnr_median": _median_psnr(corpus),
        "bytes_per_object": round(size / triplets) if triplets else None,
        "stages": stages,
        **(evaluated.figures if evaluated else {}),
    }
    corpus.write_json(summary, "summary.json")
    return summary


def summary_tables(summary: dict[str, Any]) -> list[Table]:
    """The figures for people to read."""
    stages = Table(title=f"{summary['objects']} objects, {summary['triplets']} triplets, {summary['errors']} failures")
    for name in ("stage", "done", "failed", "seconds"):
        stages.add_column(name, justify="left" if name == "stage" else "right")
    for name, stage in summary["stages"].items():
        stages.add_row(name, str(stage["done"]), str(stage["failed"]), f"{stage['seconds']:.1f}")

    figures = Table()
    for name in ("figure", "value", "chance"):
        figures.add_column(name, justify="left" if name == "figure" else "right")
    if summary["psnr_median"] is not None:
        figures.add_row("median PSNR of held-out views", f"{summary['psnr_median']:.2f} dB", "")
    if summary["bytes_per_object"] is not None:
        figures.add_row("bytes per object", f"{summary['bytes_per_object']:,}", "")
    for key, value in summary.items():
        if f"{key}_chance" in summary and key.endswith(SHOWN_FIGURES):
            figures.add_row(key, f"{value:.1%}", f"{summary[f'{key}_chance']:.1%}")
    return [stages, figures]


def failure_table(corpus: CorpusStore, shards: Sequence[int], stages: Sequence[str]) -> Table | None:
    """The objects that failed in some stages, and why; None if there are none."""
    table = Table(title="failures (errors/ has them all)")
    for name in ("stage", "object", "reason"):
        table.add_column(name, overflow="fold")
    for stage in stages:
        for shard in sorted(set(corpus.shards(f"errors/{stage}")) & set(shards)):
            for error in corpus.read_errors(stage, shard):
                if table.row_count == FAILURES_SHOWN:
                    return table
                reason = f"{error['error_class']}: {error['message']}"[:REASON_CHARACTERS]
                table.add_row(stage, Text(plain_line(error["uid"])), Text(plain_line(reason)))
    return table if table.row_count else None


def _shard_stages(corpus: CorpusStore, config: Config, shards: int) -> dict[str, dict[str, Any]]:
    counts = count_stages(Ledger(corpus, config, SHARD_STAGES), range(shards))
    return {
        stage: {
            "done": status.done,
            "failed": status.failed,
            "seconds": round(status.seconds + status.setup_seconds, 2),
        }
        for stage, status in counts.items()
    }


def _corpus_stages(corpus: CorpusStore) -> dict[str, dict[str, Any]]:
    """These stages are done once, for all objects: `done` is 1 or 0."""
    done = {stage: find_done(corpus, stage) for stage in CORPUS_STAGES}
    return {
        stage: {"done": int(note is not None), "failed": 0, "seconds": round(note.seconds, 2) if note else 0.0}
        for stage, note in done.items()
    }


def _triplets(corpus: CorpusStore) -> tuple[int, int]:
    """Number of triplets, and bytes of their files."""
    manifest = find_packed_manifest(corpus, FOLDER)
    files = manifest.files if manifest else ()
    return sum(file.rows for file in files), sum(file.bytes for file in files)


def _median_psnr(corpus: CorpusStore) -> float | None:
    values = [
        row["psnr"] for shard in corpus.shards("gaussians") for row in corpus.read_rows("gaussians", shard, ["psnr"])
    ]
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None
