"""What one run does, as sent to the workers: plain data, a few kilobytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.base.errors import PipelineError, Timeout
from pipeline.base.logs import LogStyle
from pipeline.stages.config import Config
from pipeline.stages.entries import ShardStageEntry
from pipeline.stages.registry import SHARD_STAGES
from pipeline.stages.stage import Failure
from pipeline.state.ledger import Redo
from pipeline.store.corpus_store import CorpusStore
from pipeline.work.policy import Policy

Chains = dict[int, list[str]]  # shard -> its stages that have something to do, in order


@dataclass(frozen=True)
class Job:
    """A run over some shards of a corpus."""

    corpus: CorpusStore
    config: Config
    stages: Mapping[str, ShardStageEntry] = field(default_factory=lambda: dict(SHARD_STAGES))
    redo: Redo = Redo.NOTHING
    retry_failed: bool = False
    code_version: str = ""
    log_style: LogStyle = LogStyle()
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Step:
    """One stage over one shard, and what is known about its objects from workers that were lost with it."""

    stage: str
    shard: int
    losses: Mapping[str, int] = field(default_factory=dict)  # by object: workers that were lost while they were at it
    given_up: Mapping[str, Failure] = field(default_factory=dict)  # objects that are not tried again
    losses_elsewhere: int = 0

    def after_loss(self, uids: Sequence[str], error: PipelineError, policy: Policy) -> "Step | None":
        """The step to try next, now that one more worker was lost; None if it is given up.

        Objects that a worker was lost at are tried alone from then on, so that the one at fault is found.

        Args:
            uids: what the worker was at.
            error: how it was lost.
            policy: how many workers an object, or the step, may cost.
        """
        if not uids:
            again = replace(self, losses_elsewhere=self.losses_elsewhere + 1)
            allowed = policy.timeouts if isinstance(error, Timeout) else policy.losses_elsewhere
            return again if again.losses_elsewhere < allowed else None
        losses = dict(self.losses) | {uid: self.losses.get(uid, 0) + 1 for uid in uids}
        allowed = policy.timeouts if isinstance(error, Timeout) else policy.losses
        given_up = {uid: Failure.from_exception(uid, error) for uid in uids if losses[uid] >= allowed}
        return replace(self, losses=losses, given_up=dict(self.given_up) | given_up)


@dataclass(frozen=True)
class ShardReport:
    """The outcome of one stage in one shard."""

    stage: str
    shard: int
    done: int  # objects with a row
    failed: int  # objects with an error
    processed: int  # objects that this run worked on
    seconds: float
