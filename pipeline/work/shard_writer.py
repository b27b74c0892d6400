"""Writing one shard of a stage: finished rows that stay, new rows and errors, in the order in which they came in."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

import pyarrow as pa

from pipeline.base.errors import ConfigError
from pipeline.stages.stage import Failure
from pipeline.state.ledger import ShardWork
from pipeline.state.lineage import stage_content
from pipeline.store.rows import Row, fingerprint, rows_from_table
from pipeline.store.schema import TABLES
from pipeline.store.shard_reader import TableReader
from pipeline.store.shard_record import Fingerprints, ShardRecord
from pipeline.store.table_writer import TableWriter
from pipeline.work.job import Job, ShardReport


@dataclass(frozen=True)
class Result:
    """The outcome for one object."""

    uid: str
    outcome: pa.Table | Failure  # its row, or why there is none
    tries: int = 1


def write_shard(
    job: Job,
    stage_name: str,
    shard: int,
    work: ShardWork,
    results: Callable[[Sequence[str]], Iterable[Result]],
    batch_size: int = 1,
    setup_seconds: float = 0.0,
) -> ShardReport:
    """Write a shard's table and errors, atomically: the errors first, then the table with its record.

    A run that is killed between the two leaves a shard that the ledger finds due again.

    Args:
        results: gives the results of a batch of objects that have to be processed.
        setup_seconds: what the stage's set-up took, to be noted beside the time for the objects.

    Raises:
        ConfigError: the finished rows have other columns than today's schema.
    """
    started, cpu_started = time.perf_counter(), _cpu_seconds()
    path = job.corpus.shard_path(job.stages[stage_name].writes, shard)
    schema = TABLES[job.stages[stage_name].writes]
    errors: dict[str, Row] = {row["uid"]: row for row in work.kept_errors}
    with (
        _finished(job, stage_name, shard, path, schema) if work.kept else nullcontext() as finished,
        job.corpus.table_writer(path, schema) as writer,
    ):
        output = _Output(writer, job.policy.group_bytes)
        for batch in _batches(work, batch_size):
            if finished is not None and batch[0] in work.kept:
                output.add(batch[0], finished.table(batch[0]), work.kept[batch[0]])
                continue
            for result in results(batch):
                if isinstance(result.outcome, Failure):
                    attempt = work.attempts.get(result.uid, 0) + result.tries
                    errors[result.uid] = _error_row(stage_name, result.outcome, attempt)
                else:
                    output.add(result.uid, result.outcome)
        output.flush()
        _assert_conserved(stage_name, shard, work, output.fingerprints, errors)
        job.corpus.write_errors(stage_name, shard, [errors[uid] for uid in work.inputs if uid in errors])
        seconds = time.perf_counter() - started
        spent = {
            "seconds": seconds,
            "setup_seconds": setup_seconds,
            "cpu_seconds": _cpu_seconds() - cpu_started,
        }
        writer.set_record(_record(job, stage_name, work, output.fingerprints, spent))
    return ShardReport(stage_name, shard, len(output.fingerprints), len(errors), len(work.todo), seconds)


def _finished(job: Job, stage_name: str, shard: int, path: str, schema: pa.Schema) -> "closing[TableReader]":
    reader = TableReader(job.corpus, path)
    if not reader.schema.equals(schema):
        reader.close()
        raise ConfigError(
            f"stage {stage_name}, shard {shard} has columns that differ from this version's: --force makes it again"
        )
    return closing(reader)


def _batches(work: ShardWork, batch_size: int) -> Iterable[list[str]]:
    """Objects to process, in batches, and kept ones, alone, in the shard's order."""
    batch: list[str] = []
    for uid in work.inputs:
        if uid in work.todo:
            batch.append(uid)
        if batch and (uid not in work.todo or len(batch) == batch_size):
            yield batch
            batch = []
        if uid in work.kept:
            yield [uid]
    if batch:
        yield batch


def _error_row(stage_name: str, failure: Failure, attempt: int) -> Row:
    return {
        "uid": failure.uid,
        "stage": stage_name,
        "error_class": failure.error_class,
        "message": failure.message,
        "log_tail": failure.log_tail,
        "attempt": attempt,
        "retryable": failure.retryable,
    }


def _assert_conserved(stage_name: str, shard: int, work: ShardWork, rows: Fingerprints, errors: dict[str, Row]) -> None:
    if rows.keys() & errors.keys() or rows.keys() | errors.keys() != work.inputs.keys():
        raise AssertionError(
            f"stage {stage_name}, shard {shard}: {len(work.inputs)} objects in, "
            f"{len(rows)} rows and {len(errors)} errors out"
        )


def _record(job: Job, stage_name: str, work: ShardWork, rows: Fingerprints, spent: dict[str, float]) -> ShardRecord:
    in_all = {name: round(value + work.spent.get(name, 0.0), 3) for name, value in spent.items()}
    content = stage_content(stage_name, job.config, job.stages)
    return ShardRecord.of(stage_name, content, work.inputs, rows, code_version=job.code_version, **in_all)


def _cpu_seconds() -> float:
    """CPU time of this process and of those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Output:
    """Collects rows into row groups of a few megabytes."""

    def __init__(self, writer: TableWriter, group_bytes: int):
        self.fingerprints: Fingerprints = {}
        self._writer = writer
        self._group_bytes = group_bytes
        self._tables: list[pa.Table] = []

    def add(self, uid: str, table: pa.Table, known_fingerprint: str = "") -> None:
        self.fingerprints[uid] = known_fingerprint or fingerprint(rows_from_table(table)[0])
        self._tables.append(table)
        if sum(table.nbytes for table in self._tables) > self._group_bytes:
            self.flush()

    def flush(self) -> None:
        if self._tables:
            self._writer.write_table(pa.concat_tables(self._tables))
            self._tables = []
