"""Shards as chains of stages: a bounded number of chains is under way, and each step starts when the one before ends.

What travels is the description of a shard, never its images or splats.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.errors import WorkerCrash
from pipeline.job import Chains, Job, ShardReport
from pipeline.runner import fail_shard

logger = logging.getLogger(__name__)

RETRIES = 2  # of a step whose worker died

OnReport = Callable[[ShardReport], None]


class Workers(Protocol):
    """Processes that run one stage over one shard at a time."""

    @property
    def window(self) -> int:
        """How many chains may be under way now."""

    def submit(self, stage: str, shard: int) -> Any:
        """Start a step; returns a handle (hashable)."""

    def wait(self, handles: list[Any]) -> Any:
        """Block until one of the handles is ready, and return it."""

    def result(self, handle: Any) -> ShardReport:
        """The report of a ready step.

        Raises:
            WorkerCrash: the process that worked on it died.
        """


def run_chains(job: Job, chains: Chains, workers: Workers, on_report: OnReport) -> None:
    """Run all chains. A step whose worker died is tried again, then its objects are noted as failed.

    Raises:
        Exception: whatever a step raises, except a crash of its worker.
    """
    waiting = deque((shard, deque(stages)) for shard, stages in chains.items())
    under_way: dict[Any, tuple[int, deque[str]]] = {}
    crashes: Counter[tuple[str, int]] = Counter()

    while waiting or under_way:
        while waiting and len(under_way) < workers.window:
            shard, stages = waiting.popleft()
            under_way[workers.submit(stages[0], shard)] = (shard, stages)
        handle = workers.wait(list(under_way))
        shard, stages = under_way.pop(handle)
        try:
            report = workers.result(handle)
        except WorkerCrash as crash:
            crashes[stages[0], shard] += 1
            if crashes[stages[0], shard] <= RETRIES:
                logger.warning("stage %s, shard %d: %s; trying again", stages[0], shard, crash)
                under_way[workers.submit(stages[0], shard)] = (shard, stages)
                continue
            report = fail_shard(job, stages[0], shard, crash)
        on_report(report)
        stages.popleft()
        if stages:
            under_way[workers.submit(stages[0], shard)] = (shard, stages)
