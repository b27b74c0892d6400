"""Applies a function to many items, in worker processes of this machine."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pipeline.base import logs
from pipeline.base.errors import WorkerCrash
from pipeline.base.logs import LogStyle
from pipeline.executors.local import end_with_parent, environment
from pipeline.executors.machine import default_workers, thread_environment


def spread(
    function: Callable[[Any], Any], items: Sequence[Any], at_once: int, memory_gb: float, workers: int
) -> list[Any]:
    """`function(item)` of every item, in their order (see `pipeline.stages.stage.Spread`).

    Args:
        memory_gb: not looked at: `at_once` is what bounds the memory here.
        workers: processes; 0: one for every CPU. 1: this process.

    Raises:
        WorkerCrash: a process died.
    """
    count = min(workers or default_workers(), at_once, len(items))
    if count <= 1:
        return [function(item) for item in items]
    spawn = multiprocessing.get_context("spawn")
    with environment(thread_environment(1)):
        pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(logs.current_style(),))
        try:
            return list(pool.map(function, items))
        except BrokenProcessPool as error:
            raise WorkerCrash("a worker process died (out of memory?)") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(style: LogStyle) -> None:
    """In a worker process: leave Ctrl-C to the parent, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    logs.configure(style)
