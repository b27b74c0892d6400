"""Applies a function to many items, in tasks of a Ray cluster."""

from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import exceptions

from pipeline.base import logs
from pipeline.base.logs import LogStyle
from pipeline.executors.cluster import CRASHES, cluster, fitting, node_resources, tasks_at_once, worker_crash
from pipeline.executors.machine import thread_environment
from pipeline.stages.stage import Resources

TASKS_PER_CPU = 2  # under way: enough that no CPU waits for the driver
RETRIES = 2  # of a task whose process or node died


def spread(
    function: Callable[[Any], Any], items: Sequence[Any], at_once: int, memory_gb: float, workers: int
) -> list[Any]:
    """`function(item)` of every item, in their order (see `pipeline.stages.stage.Spread`).

    Args:
        at_once: not looked at: Ray starts no more on a node than it has CPUs and memory for.
        workers: tasks that may be under way; 0: as many as keep all CPUs busy.

    Raises:
        WorkerCrash: the process of an item died repeatedly.
    """
    if len(items) == 1:
        return [function(items[0])]
    with cluster():
        nodes = node_resources()
        window = workers or tasks_at_once(nodes, TASKS_PER_CPU)
        task = ray.remote(_call).options(
            **fitting(Resources(cpus=1, memory_gb=memory_gb), nodes),
            max_retries=RETRIES,
            runtime_env={"env_vars": thread_environment(1)},
            name=getattr(function, "__name__", "spread"),
        )
        shared = ray.put(function)
        results: list[Any] = [None] * len(items)
        under_way: dict[ray.ObjectRef[Any], int] = {}
        for place, item in enumerate(items):
            while len(under_way) >= window:
                _collect(under_way, results)
            under_way[task.remote(logs.current_style(), shared, item)] = place
        while under_way:
            _collect(under_way, results)
        return results


def _call(style: LogStyle, function: Callable[[Any], Any], item: Any) -> Any:
    logs.configure(style)
    return function(item)


def _collect(under_way: dict[ray.ObjectRef[Any], int], results: list[Any]) -> None:
    """Wait for one task, and put its result in its place."""
    [ready], _ = ray.wait(list(under_way), num_returns=1)
    try:
        results[under_way.pop(ready)] = ray.get(ready)
    except exceptions.RayTaskError as error:
        raise error.cause from error
    except CRASHES as error:
        raise worker_crash(error) from error
