"""Shards as chains of stages: a bounded number of chains runs at a time, each step after the one before it.

What travels is the description of a shard, never its images or splats.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.base.errors import PipelineError, WorkerCrash
from pipeline.executors.watch import Watch
from pipeline.work.at_work import AtWork
from pipeline.work.job import Chains, Job, ShardReport, Step
from pipeline.work.runner import fail_shard

logger = logging.getLogger(__name__)

OnReport = Callable[[ShardReport], None]


class Workers(Protocol):
    """Processes that run one stage over one shard at a time."""

    @property
    def window(self) -> int:
        """How many chains may be under way now."""

    def submit(self, step: Step) -> Any:
        """Start a step; returns a handle (hashable)."""

    def wait(self, handles: list[Any], timeout_s: float) -> Any | None:
        """Block until one of the handles is ready, and return it; None if that takes longer."""

    def result(self, handle: Any) -> ShardReport:
        """The report of a ready step.

        Raises:
            WorkerCrash: the process that worked on it died.
        """

    def kill(self, handle: Any) -> None:
        """Kill the process that works on a step; its `result` is a crash then."""


def run_chains(job: Job, chains: Chains, workers: Workers, on_report: OnReport) -> None:
    """Run all chains. A step whose worker is lost is tried again, without the objects that cost several workers.

    Raises:
        Exception: whatever a step raises, except a crash of its worker.
    """
    waiting = deque((Step(stages[0], shard), deque(stages[1:])) for shard, stages in chains.items())
    under_way: dict[Any, tuple[Step, deque[str]]] = {}  # handle -> step, and the stages after it
    watch = Watch(job.corpus, job.policy)

    def start(step: Step, later: deque[str]) -> None:
        AtWork(job.corpus, step.stage, step.shard).clear()  # what a run that was killed has left
        under_way[workers.submit(step)] = (step, later)

    while waiting or under_way:
        while waiting and len(under_way) < workers.window:
            start(*waiting.popleft())
        handle = workers.wait(list(under_way), job.policy.look_s)
        for late in watch.overdue({key: step for key, (step, _) in under_way.items() if key != handle}):
            workers.kill(late)
        if handle is None:
            continue
        step, later = under_way.pop(handle)
        timeout = watch.ended(handle)
        try:
            report = workers.result(handle)
        except WorkerCrash as crash:
            again = _after_loss(job, step, timeout or crash)
            if again is not None:
                start(again, later)
                continue
            report = fail_shard(job, step, timeout or crash)
        on_report(report)
        if later:
            start(Step(later.popleft(), step.shard), later)


def _after_loss(job: Job, step: Step, error: PipelineError) -> Step | None:
    """The step to try after its worker was lost; None if it is given up."""
    at_work = AtWork(job.corpus, step.stage, step.shard)
    uids = at_work.read().uids
    at_work.clear()
    again = step.after_loss(uids, error, job.policy)
    at = f"at {', '.join(uids)}" if uids else "at no object"
    logger.warning("stage %s, shard %d, %s: %s", step.stage, step.shard, at, error)
    return again
