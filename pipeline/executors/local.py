"""Runs shards on this machine: in this process, or in a few worker processes."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from pipeline.base import logs
from pipeline.base.errors import ConfigError, WorkerCrash
from pipeline.executors.chains import OnReport, run_chains
from pipeline.executors.machine import available_cpus, default_workers, thread_environment
from pipeline.work.job import Chains, Job, ShardReport, Step
from pipeline.work.runner import run_shard
from pipeline.work.stage_objects import StageObjects


def run(job: Job, chains: Chains, workers: int, on_report: OnReport) -> None:
    """Run all chains.

    Args:
        workers: processes; 0: one for every CPU, or one with all CPUs where a stage uses a GPU (sums of floats may
            then differ in the last bit from those of one thread). 1: this process, with all CPUs for the stage; then
            there is nobody who could note that an object kills it, or end it when it hangs.
    """
    if workers == 1:
        with StageObjects(job, available_cpus()) as objects:
            for shard, stages in chains.items():
                for stage in stages:
                    on_report(run_shard(job, Step(stage, shard), objects))
        return
    workers = workers or (1 if _uses_gpu(job, chains) else default_workers())
    threads = max(1, available_cpus() // workers)
    count = min(workers, len(chains))
    with environment(thread_environment(threads)), ProcessWorkers(job, count, threads) as processes:
        run_chains(job, chains, processes, on_report)


def _uses_gpu(job: Job, chains: Chains) -> bool:
    names = {name for stages in chains.values() for name in stages}
    return any(job.stages[name].load().resources(getattr(job.config, name)).gpus for name in names)


class ProcessWorkers:
    """Processes with a pipe each, so that it is known which of them died, and at what. A context manager."""

    def __init__(self, job: Job, count: int, threads: int):
        self.window = count
        self._job = job
        self._threads = threads
        self._processes: dict[Connection, BaseProcess] = {}
        self._idle = [self._start() for _ in range(count)]

    def submit(self, step: Step) -> Connection:
        link = self._idle.pop()
        with suppress(BrokenPipeError):  # it died while idle: `result` will find its pipe closed
            link.send(step)
        return link

    def wait(self, handles: list[Connection], timeout_s: float) -> Connection | None:
        ready = wait(handles, timeout_s)
        return next((handle for handle in handles if handle in ready), None)

    def kill(self, handle: Connection) -> None:
        self._processes[handle].kill()

    def result(self, handle: Connection) -> ShardReport:
        try:
            answer: ShardReport | Exception = handle.recv()
        except (EOFError, ConnectionError) as error:
            process = self._processes.pop(handle)
            process.join()
            self._idle.append(self._start())
            raise WorkerCrash(f"the worker process died (exit code {process.exitcode})") from error
        self._idle.append(handle)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> "ProcessWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        for link, process in self._processes.items():
            if link not in self._idle:
                process.terminate()  # it is at work: it closes its stages and ends
            link.close()  # an idle one takes this as the end
        for process in self._processes.values():
            process.join(self._job.policy.closing_s)
            if process.is_alive():
                process.kill()
                process.join()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._job, self._threads, theirs), daemon=False)
        process.start()
        theirs.close()
        self._processes[ours] = process
        return ours


def _serve(job: Job, threads: int, link: Connection) -> None:
    """A worker process: one step after the other, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=end_with_parent, daemon=True).start()
    logs.configure(job.log_style)
    with StageObjects(job, threads) as objects:
        while True:
            try:
                step = link.recv()
            except (EOFError, ConnectionError):
                return
            answer: ShardReport | Exception
            try:
                answer = run_shard(job, step, objects)
            except ConfigError as error:  # its message says all
                answer = error
            except Exception as error:
                answer = _portable(error)
            try:
                link.send(answer)
            except ConnectionError:  # the run has been stopped meanwhile: what this step has made is in the corpus
                return


def end_with_parent() -> None:
    """A parent that was killed cannot end its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker process
    wait([parent.sentinel])
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or, where it cannot be pickled, an error that tells of it."""
    text = "in a worker process:\n" + traceback.format_exc()
    error.add_note(text)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(text)
    return error


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes started in this block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
