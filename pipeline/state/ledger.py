"""What is finished in a corpus and what a shard still needs, read from the records in the tables' footers.

A finished shard's record holds, for every object, the fingerprint of the input rows that it was made from and of the
row that came out. So only those objects are made again whose input is new or has changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import repeat
from typing import Any

import pyarrow as pa

from pipeline.base.errors import ConfigError
from pipeline.base.settings import content_hash
from pipeline.stages.config import Config
from pipeline.stages.entries import ShardStageEntry
from pipeline.state.lineage import differences, stage_content, with_defaults
from pipeline.state.records import read_manifest
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.index_reader import IndexReader
from pipeline.store.read_ahead import read_ahead
from pipeline.store.rows import Row
from pipeline.store.shard_record import Fingerprints, ShardRecord


class Redo(Enum):
    """Which finished shards are made again although their inputs have not changed."""

    NOTHING = "nothing"  # those that another config made are refused
    OUTDATED = "outdated"  # those that another config made
    EVERYTHING = "everything"


@dataclass(frozen=True)
class ShardWork:
    """What one stage has to do in one shard."""

    inputs: Fingerprints  # every object that comes in
    todo: frozenset[str]  # objects to process
    kept: Fingerprints = field(default_factory=dict)  # finished objects whose rows stay as they are
    kept_errors: tuple[Row, ...] = ()  # failures that stay as they are
    attempts: Mapping[str, int] = field(default_factory=dict)  # earlier attempts at failed objects
    spent: Mapping[str, float] = field(default_factory=dict)  # seconds that the kept rows took
    stale: bool = False  # the tables on disk do not agree with `kept` and `kept_errors`

    @property
    def due(self) -> bool:
        return bool(self.todo) or self.stale


class Ledger:
    """The state of a corpus under a config. It remembers what it read: make a new one to look again."""

    def __init__(
        self,
        corpus: CorpusStore,
        config: Config,
        stages: Mapping[str, ShardStageEntry],
        shard: int | None = None,
    ):
        """
        Args:
            shard: the only shard that will be asked for; lists of the others are not read then.
        """
        self.corpus = corpus
        self.config = config
        self.stages = stages
        self._shard = shard
        self._records: dict[tuple[str, int], ShardRecord | None] = {}
        self._errors: dict[tuple[str, int], dict[str, Row]] = {}
        self._contents: dict[str, dict[str, dict[str, Any]]] = {}
        self._finished: dict[str, set[int]] = {}
        self._error_shards: dict[str, set[int]] = {}
        self._index: IndexReader | None = None
        self._objects: tuple[int, list[str]] = (-1, [])  # of the shard that was asked for last
        self._planning_hash = ""

    def objects(self, shard: int) -> list[str]:
        """Uids planned for a shard."""
        if self._index is None:
            self._index = self.corpus.index()
            self._planning_hash = read_manifest(self.corpus).planning_hash
        if self._objects[0] != shard:
            self._objects = shard, [row["uid"] for row in self._index.rows(["uid"], shard)]
        return self._objects[1]

    def content(self, stage: str) -> dict[str, dict[str, Any]]:
        """The settings that decide what a stage writes."""
        if stage not in self._contents:
            self._contents[stage] = stage_content(stage, self.config, self.stages)
        return self._contents[stage]

    def record(self, stage: str, shard: int) -> ShardRecord | None:
        """The record of a finished shard, None if it is not finished."""
        if shard not in self._finished.get(stage, {shard}):
            return None
        key = (stage, shard)
        if key not in self._records:
            self._records[key] = self.corpus.shard_record(self.stages[stage].writes, shard)
        return self._records[key]

    def walk(self, shards: Sequence[int], errors: bool = False) -> Iterator[int]:
        """The shards, one after the other; each is forgotten with the next: a large corpus's records take gigabytes.

        Which are finished is read from lists of the tables' files, so that no file is looked for in vain. In a bucket,
        the records of all stages are read ahead of time.

        Args:
            errors: read the errors tables ahead, too.
        """
        self._finished = {stage: set(self.corpus.shards(entry.writes)) for stage, entry in self.stages.items()}
        if errors:
            self._error_shards = {stage: set(self.corpus.shards(f"errors/{stage}")) for stage in self.stages}
        look_up = partial(self._look_up, errors=errors)
        with (
            nullcontext(repeat(None))
            if self.corpus.is_local
            else closing(read_ahead(look_up, shards, self.corpus.readers))
        ) as ahead:
            for shard in shards:
                next(ahead)
                yield shard
                for stage in self.stages:
                    self._records.pop((stage, shard), None)
                    self._errors.pop((stage, shard), None)

    def _look_up(self, shard: int, errors: bool) -> None:
        """Remember what can be read of a shard; a damaged file is told of when somebody asks for it."""
        for stage in self.stages:
            with suppress(ConfigError):
                self.record(stage, shard)
            with suppress(OSError, ValueError, pa.ArrowException):
                if errors:
                    self.errors(stage, shard)

    def errors(self, stage: str, shard: int) -> dict[str, Row]:
        """The rows of the shard's errors table, by uid."""
        if self._shard is None and stage not in self._error_shards:
            self._error_shards[stage] = set(self.corpus.shards(f"errors/{stage}"))
        if shard not in self._error_shards.get(stage, {shard}):
            return {}
        key = (stage, shard)
        if key not in self._errors:
            self._errors[key] = {row["uid"]: row for row in self.corpus.read_errors(stage, shard)}
        return self._errors[key]

    def inputs(self, stage: str, shard: int) -> Fingerprints | None:
        """The objects that come into a stage; None while a table that it reads is not there."""
        tables: list[Fingerprints] = []
        for name in self.stages[stage].reads:
            outputs = self._outputs(name, shard)
            if outputs is None:
                return None
            tables.append(outputs)
        first, *others = tables
        if not others:
            return first
        return {
            uid: content_hash([table[uid] for table in tables])
            for uid in first
            if all(uid in other for other in others)
        }

    def work(self, stage: str, shard: int, redo: Redo = Redo.NOTHING, retry_failed: bool = False) -> ShardWork | None:
        """What `stage` has to do in a shard; None while a table that it reads is not there.

        Raises:
            ConfigError: the shard was made by another config, and `redo` does not allow to make it again.
        """
        inputs = self.inputs(stage, shard)
        if inputs is None:
            return None
        everything = ShardWork(inputs, todo=frozenset(inputs), stale=True)
        record = self.record(stage, shard)
        if record is None or redo is Redo.EVERYTHING:
            return everything
        changed = differences(with_defaults(record.content), self.content(stage))
        if changed:
            if redo is Redo.OUTDATED:
                return everything
            raise ConfigError(
                f"stage {stage}, shard {shard} was made with another config ({changed}): "
                "--force makes it again, another --corpus keeps it"
            )
        return self._remaining(stage, shard, inputs, record, retry_failed)

    def _remaining(
        self, stage: str, shard: int, inputs: Fingerprints, record: ShardRecord, retry_failed: bool
    ) -> ShardWork:
        outputs, on_disk = record.outputs, self.errors(stage, shard)
        # A row wins over an error: a run that was killed between the two files leaves an object in both.
        errors = {uid: row for uid, row in on_disk.items() if uid not in outputs}
        same = [uid for uid, fingerprint in inputs.items() if record.inputs.get(uid) == fingerprint]
        kept = {uid: outputs[uid] for uid in same if uid in outputs}
        kept_errors = () if retry_failed else tuple(errors[uid] for uid in same if uid in errors)
        todo = inputs.keys() - kept.keys() - {row["uid"] for row in kept_errors}
        agrees = kept.keys() == outputs.keys() and len(kept_errors) == len(on_disk)
        attempts = {uid: row["attempt"] for uid, row in errors.items()}
        spent = {
            "seconds": record.seconds,
            "setup_seconds": record.setup_seconds,
            "cpu_seconds": record.cpu_seconds,
        }
        return ShardWork(inputs, frozenset(todo), kept, kept_errors, attempts, spent, stale=not agrees)

    def _outputs(self, table: str, shard: int) -> Fingerprints | None:
        """Fingerprints of a table's rows by uid; None if the shard is not finished."""
        if table == "index":
            uids = self.objects(shard)
            return dict.fromkeys(uids, self._planning_hash)
        maker = next(name for name, entry in self.stages.items() if entry.writes == table)
        record = self.record(maker, shard)
        return None if record is None else record.outputs
