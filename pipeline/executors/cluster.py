"""The Ray cluster of a run: joining or starting one, what its nodes have, and how a lost process shows up."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import ray
from ray import exceptions

from pipeline.base.errors import WorkerCrash
from pipeline.stages.stage import Resources

OBJECT_STORE_BYTES = 100_000_000  # of a cluster that we start: what travels is descriptions

NodeResources = dict[str, float]  # as Ray counts them: CPU and GPU in pieces, memory in bytes

CRASHES = (
    exceptions.WorkerCrashedError,
    exceptions.RayActorError,
    exceptions.OutOfMemoryError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
    exceptions.TaskCancelledError,  # by `kill`
)


@contextmanager
def cluster() -> Iterator[bool]:
    """The cluster that this process belongs to, that RAY_ADDRESS names, or one of this machine, ended with the block.

    Gives whether it was started here.
    """
    if ray.is_initialized():
        yield False
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    else:  # for one run of one machine: nobody looks at its dashboard, and it reports to nobody
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        yield not address
    finally:
        ray.shutdown()


def node_resources() -> list[NodeResources]:
    """What each node that is alive has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def fitting(needs: Resources, nodes: Sequence[NodeResources]) -> NodeResources:
    """CPUs and memory to ask for: never more than the largest node has, or the task would wait forever."""
    cpus = max((node.get("CPU", 0.0) for node in nodes), default=0.0) or needs.cpus
    memory = max((node.get("memory", 0.0) for node in nodes), default=0.0) or needs.memory_gb * 1e9
    return {"num_cpus": min(needs.cpus, cpus), "memory": int(min(needs.memory_gb * 1e9, memory))}


def tasks_at_once(nodes: Sequence[NodeResources], per_cpu: float) -> int:
    """How many tasks keep all CPUs busy, at `per_cpu` tasks for each."""
    return max(2, math.ceil(per_cpu * sum(node.get("CPU", 0.0) for node in nodes)))


def worker_crash(error: Exception) -> WorkerCrash:
    """What one of `CRASHES` means, in one line."""
    return WorkerCrash(str(error).strip().partition("\n")[0])
