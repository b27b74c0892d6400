"""Actors that hold a GPU each and keep their models: as many as there is work for, and GPUs.

A step waits here, not at an actor, until an actor is free, so that those that come later take their share. Actors that
wait for a GPU are what the cluster's autoscaler sees as demand; what has had no work for a while gives its GPU back.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import exceptions

from pipeline.base import logs
from pipeline.base.errors import WorkerCrash
from pipeline.executors.machine import thread_environment
from pipeline.stages.stage import Resources
from pipeline.work.job import Job, ShardReport, Step
from pipeline.work.policy import Policy
from pipeline.work.runner import run_shard
from pipeline.work.stage_objects import StageObjects


@dataclass(eq=False)
class GpuStep:
    """A step of a GPU stage, from its submission to its report."""

    step: Step
    actor: Any = None
    report: ray.ObjectRef[Any] | None = None
    crash: Exception | None = None  # of an actor that was to take it


class GpuPool:
    """Runs steps of all GPU stages: a pool for each stage could not be placed on a machine with one GPU."""

    def __init__(self, job: ray.ObjectRef[Any], needs: Sequence[Resources], policy: Policy):
        """
        Args:
            needs: of the GPU stages; none: nothing will be submitted.
        """
        self._job = job
        self._policy = policy
        self._gpus = max((need.gpus for need in needs), default=0)
        self._threads = max((max(1, int(need.cpus)) for need in needs), default=1)
        self._waiting: deque[GpuStep] = deque()
        self._starting: dict[ray.ObjectRef[Any], Any] = {}  # its first sign of life -> actor
        self._idle: list[Any] = []
        self._busy: dict[ray.ObjectRef[Any], GpuStep] = {}
        self._fully_used = time.monotonic()  # when there were last no more actors than work

    def submit(self, step: Step) -> GpuStep:
        """Start a step as soon as an actor is free."""
        submitted = GpuStep(step)
        self._waiting.append(submitted)
        self._deal()
        return submitted

    def refs(self) -> list[ray.ObjectRef[Any]]:
        """What to wait for: `ready` is to be told which of these is ready."""
        self._deal()
        return [*self._starting, *self._busy]

    def ready(self, ref: ray.ObjectRef[Any]) -> GpuStep | None:
        """The step that has ended with `ref`; None if it was an actor that has started."""
        if ref in self._busy:
            return self._busy[ref]
        actor = self._starting.pop(ref)
        try:
            ray.get(ref)
        except exceptions.RayError as error:  # somebody has to be told: a step's losses are counted
            if not self._waiting:
                return None
            failed = self._waiting.popleft()
            failed.crash = error
            return failed
        self._idle.append(actor)
        self._deal()
        return None

    def result(self, ended: GpuStep) -> ShardReport:
        """The report of a step that `ready` gave.

        Raises:
            WorkerCrash: its actor could not start.
            ray.exceptions.RayError: as `ray.get` does.
        """
        if ended.report is None:
            raise WorkerCrash(f"no actor for stage {ended.step.stage} could start: {ended.crash}") from ended.crash
        del self._busy[ended.report]
        actor, ended.actor = ended.actor, None  # Ray keeps an actor that anybody knows
        try:
            report: ShardReport = ray.get(ended.report)
        except exceptions.RayTaskError:  # the step failed, not the actor
            self._idle.append(actor)
            raise
        self._idle.append(actor)
        return report

    def kill(self, late: GpuStep) -> None:
        """Kill the actor that works on a step."""
        ray.kill(late.actor)

    def close(self) -> None:
        """Close the stages of all actors, and give the GPUs back."""
        closing = [actor.close.remote() for actor in self._idle]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=self._policy.ray_closing_s)
        for actor in (*self._idle, *self._starting.values(), *(step.actor for step in self._busy.values())):
            ray.kill(actor)

    def _deal(self) -> None:
        """Give waiting steps to free actors, and have as many actors as there is work for."""
        while self._waiting and self._idle:
            step = self._waiting.popleft()
            step.actor = self._idle.pop()
            step.report = step.actor.run_step.remote(step.step)
            self._busy[step.report] = step
        while len(self._starting) < min(len(self._waiting), self._policy.gpu_workers_starting):
            self._start()
        now = time.monotonic()
        if len(self._starting) + len(self._idle) <= len(self._waiting):
            self._fully_used = now
        elif now - self._fully_used > self._policy.gpu_idle_s:
            self._fully_used = now
            self._end_one()

    def _start(self) -> None:
        # It holds no CPU: an actor lives long, and must never take the last CPU from the tasks.
        actor_class = ray.remote(num_cpus=0, num_gpus=self._gpus, max_restarts=0, max_task_retries=0)(GpuWorker)
        environment = {"env_vars": thread_environment(self._threads)}
        actor: Any = actor_class.options(runtime_env=environment).remote(self._job, self._threads)
        self._starting[actor.started.remote()] = actor

    def _end_one(self) -> None:
        if self._starting:
            ray.kill(self._starting.popitem()[1])
        else:
            self._idle.pop(0).close.remote()  # Ray ends an actor that nobody knows any more, after this call


class GpuWorker:
    """A process that holds a GPU and keeps the stages that use it."""

    def __init__(self, job: Job, threads: int):
        logs.configure(job.log_style)
        self._objects = StageObjects(job, threads)

    def started(self) -> None:
        """Answers once the actor has its GPU."""

    def run_step(self, step: Step) -> ShardReport:
        return run_shard(self._objects.job, step, self._objects)

    def close(self) -> None:
        self._objects.close()
