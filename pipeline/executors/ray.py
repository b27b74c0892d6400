"""Runs shards on a Ray cluster: plain tasks for stages on CPUs, a pool of actors (gpu_pool.py) for stages on GPUs.

Plain tasks, and not a pool of actors per stage, because a task holds CPUs only while it runs: the stages share whatever
CPUs there are, and no number of them is too small. Ray reuses a task's process, and the process keeps its stage
objects. A task with a GPU would end its process to free the GPU's memory, so GPU stages live in actors.
"""

import logging
import os
import time
from contextlib import suppress
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.base import logs
from pipeline.base.errors import ConfigError
from pipeline.executors.chains import OnReport, run_chains
from pipeline.executors.cluster import (
    CRASHES,
    NodeResources,
    cluster,
    fitting,
    node_resources,
    tasks_at_once,
    worker_crash,
)
from pipeline.executors.gpu_pool import GpuPool, GpuStep
from pipeline.executors.machine import thread_environment
from pipeline.executors.metrics import RunMetrics
from pipeline.stages.stage import Resources
from pipeline.work.job import Chains, Job, ShardReport, Step
from pipeline.work.runner import run_shard
from pipeline.work.stage_objects import StageObjects

logger = logging.getLogger(__name__)

NODES_FOR_S = 5.0  # that what is known of the nodes counts as true
CLOSING_ROUNDS = 4

Place = tuple[str, int]  # node, process
Handle = ray.ObjectRef[Any] | GpuStep  # of a step: by a task, or by a GPU actor


def run(job: Job, chains: Chains, workers: int, on_report: OnReport) -> None:
    """Run all chains on the cluster that RAY_ADDRESS names, else on one that is started here and ended afterwards.

    Args:
        workers: how many chains may be under way; 0: as many as keep all CPUs busy.

    Raises:
        ConfigError: a stage needs a GPU, and a cluster that was started here has none.
    """
    with cluster() as started_here:
        names = {name for stages in chains.values() for name in stages}
        resources = _resources(job, names)
        gpu_stages = sorted(name for name in names if resources[name].gpus)
        if gpu_stages and started_here and not ray.cluster_resources().get("GPU"):
            raise ConfigError(f"stage {gpu_stages[0]} needs a GPU under this config, and this machine has none")
        ray_workers = RayWorkers(job, resources, workers)
        metrics = RunMetrics()

        def report(shard: ShardReport) -> None:
            metrics.count(shard)
            on_report(shard)

        run_chains(job, chains, ray_workers, report)
        ray_workers.close()


class RayWorkers:
    """Ray tasks and GPU actors that run one stage over one shard at a time."""

    def __init__(self, job: Job, resources: dict[str, Resources], workers: int):
        self._job = ray.put(job)
        self._policy = job.policy
        self._resources = resources
        self._workers = workers
        self._run_step = ray.remote(_run_step)
        self._close = ray.remote(_close_objects)
        self._open: dict[Place, int] = {}  # processes that hold stage objects, and their threads
        self._known_nodes: list[NodeResources] = []
        self._looked_at_nodes = float("-inf")
        self._gpu_pool = GpuPool(self._job, [needs for needs in resources.values() if needs.gpus], job.policy)

    @property
    def window(self) -> int:
        return self._workers or tasks_at_once(self._nodes(), self._policy.chains_per_cpu)

    def submit(self, step: Step) -> Handle:
        needs = self._resources[step.stage]
        if needs.gpus:
            return self._gpu_pool.submit(step)
        options = fitting(needs, self._nodes())
        environment = {"env_vars": thread_environment(_threads(needs))}
        # Retries after crashes are counted by run_chains, alike for all kinds of workers.
        # The name is a label of Ray's metrics: one for a stage, never one for a shard.
        task = self._run_step.options(**options, max_retries=0, runtime_env=environment, name=step.stage)
        return task.remote(self._job, step, _threads(needs))

    def wait(self, handles: list[Handle], timeout_s: float) -> Handle | None:
        deadline = time.monotonic() + timeout_s
        tasks = dict.fromkeys(handle for handle in handles if not isinstance(handle, GpuStep))
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            ready, _ = ray.wait([*tasks, *self._gpu_pool.refs()], num_returns=1, timeout=left_s)
            if not ready:
                return None
            ended = ready[0] if ready[0] in tasks else self._gpu_pool.ready(ready[0])
            if ended is not None:
                return ended

    def kill(self, handle: Handle) -> None:
        if isinstance(handle, GpuStep):
            self._gpu_pool.kill(handle)
        else:
            ray.cancel(handle, force=True)

    def result(self, handle: Handle) -> ShardReport:
        try:
            if isinstance(handle, GpuStep):
                return self._gpu_pool.result(handle)
            done: tuple[ShardReport, Place, int] = ray.get(handle)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, Exception):
                raise error.cause from error
            raise
        except CRASHES as error:
            raise worker_crash(error) from error
        report, place, threads = done
        self._open[place] = threads
        return report

    def close(self) -> None:
        """Close the stages of all processes, as far as they can be reached, and give the GPUs back.

        Ray kills the processes of its tasks when a run ends. A task that closes cannot be sent to a process, but it
        lands in one that is idle: a few rounds find them all.
        """
        self._gpu_pool.close()
        for _ in range(CLOSING_ROUNDS):
            closing = [self._close_on(*item) for item in self._open.items()]
            if not closing:
                break
            ready, _ = ray.wait(closing, num_returns=len(closing), timeout=self._policy.ray_closing_s)
            for closed in ready:
                with suppress(*CRASHES):  # what was lost with its node needs no closing
                    self._open.pop(ray.get(closed), None)

    def _close_on(self, place: Place, threads: int) -> ray.ObjectRef[Any]:
        node = NodeAffinitySchedulingStrategy(place[0], soft=True)
        environment = {"env_vars": thread_environment(threads)}
        return self._close.options(num_cpus=1, scheduling_strategy=node, runtime_env=environment).remote()

    def _nodes(self) -> list[NodeResources]:
        """The resources of every node; an autoscaled cluster changes, but not from one shard to the next."""
        if time.monotonic() - self._looked_at_nodes > NODES_FOR_S:
            self._known_nodes = node_resources()
            self._looked_at_nodes = time.monotonic()
        return self._known_nodes


_objects: StageObjects | None = None  # of this worker process


def _run_step(job: Job, step: Step, threads: int) -> tuple[ShardReport, Place, int]:
    """One step, as a Ray task: the stage objects stay in this process for the next one."""
    global _objects
    if _objects is not None and _objects.job != job:
        _objects.close()
        _objects = None
    if _objects is None:
        logs.configure(job.log_style)
        _objects = StageObjects(job, threads)
    return run_shard(job, step, _objects), _place(), threads


def _close_objects() -> Place:
    """Close what this process holds, as a Ray task; it lingers a moment, so that the next one goes elsewhere."""
    global _objects
    if _objects is not None:
        _objects.close()
        _objects = None
    time.sleep(0.1)
    return _place()


def _place() -> Place:
    return ray.get_runtime_context().get_node_id(), os.getpid()


def _resources(job: Job, names: set[str]) -> dict[str, Resources]:
    """What the stages need. They look for a GPU, so they are asked where one is: the command's node may have none."""
    gpu_nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")}
    if not gpu_nodes or ray.get_runtime_context().get_node_id() in gpu_nodes:
        return _resources_here(job, names)
    try:
        return ray.get(ray.remote(num_cpus=0, num_gpus=1)(_resources_here).remote(job, names))
    except exceptions.RayTaskError as error:
        raise error.cause from error


def _resources_here(job: Job, names: set[str]) -> dict[str, Resources]:
    return {name: job.stages[name].load().resources(getattr(job.config, name)) for name in names}


def _threads(needs: Resources) -> int:
    return max(1, int(needs.cpus))
