"""What one run does, as it travels to the workers: plain data, a few kilobytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config import Config
from pipeline.corpus import Corpus
from pipeline.ledger import Redo
from pipeline.registry import SHARD_STAGES, ShardStageEntry

Chains = dict[int, list[str]]  # shard -> its stages that have something to do, in order


@dataclass(frozen=True)
class Job:
    """A run over some shards of a corpus."""

    corpus: Corpus
    config: Config
    stages: Mapping[str, ShardStageEntry] = field(default_factory=lambda: dict(SHARD_STAGES))
    redo: Redo = Redo.NOTHING
    retry_failed: bool = False
    code_version: str = ""


@dataclass(frozen=True)
class ShardReport:
    """What came of one stage in one shard."""

    stage: str
    shard: int
    done: int  # objects with a row
    failed: int  # objects with an error
    processed: int  # objects that this run worked on
    seconds: float
