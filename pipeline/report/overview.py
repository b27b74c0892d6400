"""The outcome for the objects: counts and seconds per stage, and the failures with their reasons."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.state.records import find_done
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row

# The stages that work object by object, with the table that each writes.
STAGE_TABLES = {
    "assets": "assets",
    "render": "views",
    "fit": "gaussians",
    "caption": "captions",
    "embed": "embeddings",
}
MAX_FAILURES = 300  # listed with their messages; the rest is counted


@dataclass(frozen=True)
class StageCount:
    """One line of the overview."""

    name: str
    done: int
    failed: int
    pending: int  # neither done nor failed here or before
    seconds: float


@dataclass(frozen=True)
class Failures:
    """The failures, grouped by stage and class, and the rows themselves."""

    groups: list[tuple[str, str, int]]  # stage, error class, objects
    rows: list[Row]  # at most MAX_FAILURES
    total: int


def count_objects(corpus: CorpusStore) -> int:
    """Number of planned objects."""
    with corpus.parquet(corpus.path("index.parquet")) as file:
        return int(file.metadata.num_rows)


def count_stages(corpus: CorpusStore, objects: int, failures: Counter[str]) -> list[StageCount]:
    """One line per shard stage; `failures` counts the errors by stage."""
    stages, entering = [], objects
    for name, table in STAGE_TABLES.items():
        shards = corpus.shards(table)
        done = 0
        for shard in shards:
            with corpus.parquet(corpus.shard_path(table, shard)) as file:
                done += file.metadata.num_rows
        records = [record for shard in shards if (record := corpus.shard_record(table, shard))]
        seconds = [record.seconds + record.setup_seconds for record in records]
        failed = failures[name]
        stages.append(StageCount(name, done, failed, max(entering - done - failed, 0), sum(seconds)))
        if name in ("assets", "render"):  # what these do not bring cannot come out further on
            entering = done
    return stages


def read_failures(corpus: CorpusStore) -> Failures:
    """Every row of the errors tables, by stage."""
    counts: Counter[tuple[str, str]] = Counter()
    listed: list[Row] = []
    for stage in STAGE_TABLES:
        for shard in corpus.shards(f"errors/{stage}"):
            for row in corpus.read_errors(stage, shard):
                counts[stage, row["error_class"]] += 1
                if len(listed) < MAX_FAILURES:
                    listed.append(row)
    groups = [(stage, error_class, count) for (stage, error_class), count in counts.items()]
    return Failures(groups, listed, counts.total())


def corpus_stages(corpus: CorpusStore) -> dict[str, float]:
    """Seconds that each finished corpus stage took; this report is not among them."""
    notes = {name: find_done(corpus, name) for name in ("pack", "train", "evaluate")}
    return {name: note.seconds for name, note in notes.items() if note}


def pack_figures(corpus: CorpusStore) -> dict[str, Any]:
    """What the pack stage said of its work; empty if it has not run."""
    note = find_done(corpus, "pack")
    return note.figures if note else {}
