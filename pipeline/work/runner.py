"""One stage over one shard: what comes in is processed object by object, and ends as a row or as an error."""

import logging
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.base.errors import ConfigError, ContractError, StorageError
from pipeline.stages.stage import Failure, Stage
from pipeline.state.ledger import Ledger, ShardWork
from pipeline.store.full_disk import is_full
from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import TABLES
from pipeline.store.shard_reader import ShardReader
from pipeline.work.at_work import AtWork
from pipeline.work.job import Job, ShardReport, Step
from pipeline.work.shard_writer import Result, write_shard
from pipeline.work.stage_objects import StageObjects

logger = logging.getLogger(__name__)

LOG_TAIL = 4000  # characters of a traceback that the errors table keeps


def run_shard(job: Job, step: Step, objects: StageObjects) -> ShardReport:
    """Run one stage over one shard, as far as that is needed, and write its table and its errors.

    Raises:
        ConfigError: the shard was made by another config, a table that the stage reads is not there or damaged, or the
            stage itself refuses the config.
        MemoryError: this machine cannot hold the stage's work.
        StorageError: the corpus cannot be reached.
        OSError: no room is left in the corpus or the scratch folder.
    """
    work = _work(job, step)
    if not work.due:
        return ShardReport(step.stage, step.shard, len(work.kept), len(work.kept_errors), 0, 0.0)
    if not work.todo:
        return write_shard(job, step.stage, step.shard, work, results=lambda uids: ())
    with AtWork(job.corpus, step.stage, step.shard) as at_work:
        stage = objects.get(step.stage, on_setup=partial(at_work.note, ()))
        with ShardReader(job.corpus, step.shard, stage.reads) as reader:
            processor = Processor(stage, reader, at_work, _given_up(step), job.policy.attempts)
            processor.try_alone([uid for uid in step.losses if uid in work.todo and uid not in step.given_up])
            setup_seconds = objects.setup_seconds(step.stage)
            results, batch_size = processor.results, stage.batch_size
            return write_shard(job, step.stage, step.shard, work, results, batch_size, setup_seconds)


def fail_shard(job: Job, step: Step, error: Exception) -> ShardReport:
    """Note `error` for every object that the stage still had to do in a shard; finished objects stay."""
    known = _given_up(step)

    def results(uids: Sequence[str]) -> Iterator[Result]:
        for uid in uids:
            yield known.get(uid, Result(uid, Failure.from_exception(uid, error)))

    return write_shard(job, step.stage, step.shard, _work(job, step), results)


def _work(job: Job, step: Step) -> ShardWork:
    ledger = Ledger(job.corpus, job.config, job.stages, step.shard)
    work = ledger.work(step.stage, step.shard, job.redo, job.retry_failed)
    if work is None:
        tables = ", ".join(job.stages[step.stage].reads)
        raise ConfigError(
            f"stage {step.stage}, shard {step.shard}: a table that it reads ({tables}) does not exist yet"
        )
    return work


def _given_up(step: Step) -> dict[str, Result]:
    return {uid: Result(uid, failure, step.losses[uid]) for uid, failure in step.given_up.items()}


class Processor:
    """Calls a stage for some objects and makes sure that each of them ends as a row or as a failure."""

    def __init__(
        self, stage: Stage[Any], reader: ShardReader, at_work: AtWork, known: Mapping[str, Result], attempts: int
    ):
        """
        Args:
            at_work: is told what the stage is called for.
            known: results of objects that the stage is not to be called for.
            attempts: at an object whose failure may pass.
        """
        self._stage = stage
        self._reader = reader
        self._at_work = at_work
        self._known = dict(known)
        self._attempts = attempts
        self._schema = TABLES[stage.writes]
        self._timeout_s = stage.timeout_s(stage.config)

    def try_alone(self, uids: Sequence[str]) -> None:
        """Process suspects one by one, before all others: if the worker is lost again, little is lost with it."""
        for uid in uids:
            self._known[uid] = next(self.results([uid]))

    def results(self, uids: Sequence[str]) -> Iterator[Result]:
        """One result for each of `uids`, in this order; failures that may pass are tried again."""
        unknown = [uid for uid in uids if uid not in self._known]
        outcomes = self._halving(unknown) if unknown else {}
        for uid in uids:
            if uid in self._known:
                yield self._known.pop(uid)
                continue
            outcome, tries = outcomes[uid], 1
            while isinstance(outcome, Failure) and outcome.retryable and tries < self._attempts:
                logger.warning("%s: %s: %s; trying once more", self._stage.name, uid, outcome.message)
                outcome, tries = self._halving([uid])[uid], tries + 1
            yield Result(uid, outcome, tries)

    def _halving(self, uids: Sequence[str]) -> dict[str, pa.Table | Failure]:
        """Outcomes of a batch; a batch that raises is halved until the object at fault is alone."""
        self._at_work.note(uids, self._timeout_s * len(uids))
        try:
            return self._checked(uids, self._stage.process(self._reader.rows(uids)))
        except (ConfigError, MemoryError, StorageError):
            raise
        except Exception as error:
            if is_full(error):
                raise
            if len(uids) == 1:
                return {uids[0]: Failure.from_exception(uids[0], error, log_tail=traceback.format_exc()[-LOG_TAIL:])}
        middle = len(uids) // 2
        return self._halving(uids[:middle]) | self._halving(uids[middle:])

    def _checked(self, uids: Sequence[str], given: Iterable[Row | Failure]) -> dict[str, pa.Table | Failure]:
        """One outcome for every object of the batch, whatever the stage returned.

        Raises:
            ContractError: the stage returned a row for an object that is not in the batch.
        """
        by_uid: dict[str, list[Row | Failure]] = {uid: [] for uid in uids}
        for item in given:
            uid = item.uid if isinstance(item, Failure) else item.get("uid")
            if uid not in by_uid:
                raise ContractError(f"stage {self._stage.name} returned a row for {uid!r}, which was not in its batch")
            by_uid[uid].append(item)
        return {uid: self._outcome(uid, items) for uid, items in by_uid.items()}

    def _outcome(self, uid: str, items: list[Row | Failure]) -> pa.Table | Failure:
        if len(items) != 1:
            error = ContractError(f"stage {self._stage.name} returned {len(items)} rows for object {uid}, not one")
            return Failure.from_exception(uid, error)
        [item] = items
        if isinstance(item, Failure):
            return item
        try:
            return table_from_rows([item], self._schema)
        except (KeyError, ValueError, TypeError, OverflowError, pa.ArrowException) as error:
            reason = error.args[0] if isinstance(error, KeyError) else error
            wrong = ContractError(f"stage {self._stage.name} returned an invalid row for object {uid}: {reason}")
            return Failure.from_exception(uid, wrong)
