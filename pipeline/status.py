"""`--status`: what is done, failed and pending. `--plan`: what would run, and for how long. Both read records only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from pipeline.agenda import Agenda
from pipeline.config import Config
from pipeline.corpus import Corpus
from pipeline.corpus_runner import corpus_work, read_done
from pipeline.job import Job
from pipeline.ledger import Ledger
from pipeline.planning import read_manifest
from pipeline.registry import CORPUS_STAGES, SHARD_STAGES
from pipeline.rows import Row

UNKNOWN = "not measured yet"


@dataclass
class StageStatus:
    """One stage's share of a corpus, in objects, and how long its workers have taken."""

    done: int = 0
    failed: int = 0
    pending: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0

    @property
    def seconds_per_object(self) -> float | None:
        """Measured on this corpus; None before the first shard is finished."""
        finished = self.done + self.failed
        return self.seconds / finished if finished else None


def count_stages(ledger: Ledger, shards: Sequence[int]) -> dict[str, StageStatus]:
    """Counts over the records of all shard stages.

    An object that failed in a stage upstream does not come into a stage; while the stages upstream are not finished,
    all planned objects count as pending.
    """
    counts = {stage: StageStatus() for stage in ledger.stages}
    for shard in shards:
        for stage, status in counts.items():
            record = ledger.record(stage, shard)
            if record is None:
                inputs = ledger.inputs(stage, shard)
                status.pending += len(ledger.objects(shard) if inputs is None else inputs)
            else:
                status.done += record["rows"]
                status.failed += record["failed"]
                status.seconds += record["seconds"]
                status.setup_seconds += record["setup_seconds"]
        ledger.forget(shard)
    return counts


def status_table(corpus: Corpus, config: Config, shards: Sequence[int], workers: int) -> Table:
    """The table of `--status`.

    Args:
        workers: shards at once, for the time left.
    """
    ledger = Ledger(corpus, config, SHARD_STAGES)
    title = f"{corpus.uri}: {len(shards)} shards; time left with {_workers(workers)}"
    table = _new_table(title, "done", "failed", "pending", "objects/h", "time left")
    for stage, status in count_stages(ledger, shards).items():
        each = status.seconds_per_object
        rate = f"{workers * 3600 / each:,.0f}" if each else ""
        left = _time(status.pending, each, workers)
        table.add_row(stage, str(status.done), str(status.failed), str(status.pending), rate, left)
    for stage, entry in CORPUS_STAGES.items():
        due = corpus_work(entry, config, corpus).due
        table.add_row(stage, "" if due else "done", "", "due" if due else "", "", "")
    return table


def plan_table(job: Job, agenda: Agenda, corpus_stages: Mapping[str, bool], workers: int) -> Table:
    """The table of `--plan`.

    Args:
        corpus_stages: the chosen corpus stages, and whether each would run.
        workers: shards at once.
    """
    ledger = Ledger(job.corpus, job.config, job.stages)
    measured = count_stages(ledger, range(read_manifest(job.corpus)["shards"]))
    table = _new_table(f"{job.corpus.uri}: what would run with {_workers(workers)}", "shards", "objects", "time")
    for stage, objects in agenda.todo.items():
        chains = sum(stage in chain for chain in agenda.chains.values())
        time = _time(objects, measured[stage].seconds_per_object, workers)
        table.add_row(stage, str(chains), str(objects), time)
    for stage, due in corpus_stages.items():
        done = read_done(job.corpus, stage)
        table.add_row(stage, "", "", "nothing to do" if not due else duration(done["seconds"]) if done else UNKNOWN)
    return table


def unplanned_table(corpus: Corpus, rows: Sequence[Row], stages: Sequence[str]) -> Table:
    """The table of `--plan` for a corpus that does not exist yet: no rate has been measured."""
    table = _new_table(f"{corpus.uri}: a new corpus", "shards", "objects", "time")
    for stage in stages:
        counts = (str(rows[-1]["shard"] + 1), str(len(rows))) if stage in SHARD_STAGES else ("", "")
        table.add_row(stage, *counts, UNKNOWN)
    return table


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(objects: int, seconds_per_object: float | None, workers: int) -> str:
    if not objects:
        return duration(0)
    return UNKNOWN if seconds_per_object is None else duration(objects * seconds_per_object / workers)


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count > 1 else ''}"


def _new_table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    table.add_column("stage")
    for name in columns:
        table.add_column(name, justify="right")
    return table
