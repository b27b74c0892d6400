"""One round of the fault campaign: something is killed at a random moment of a run, which then is taken up again.

The stages are the fake ones, which only sleep; the processes and the kills are real. Runs on Ray join a cluster of two
nodes on this machine, which outlives them.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from fakes.corpus import errors_of, run_all, uids_of
from fakes.stages import SLOW, SLOW_FIT, log_of
from pipeline import Corpus
from pipeline.stages.config import load_config
from pipeline.state.planning import ensure_planned
from pipeline.state.verify import verify
from pipeline.work.at_work import AtWork

OBJECTS = ["broken", "failure", *(f"object-{i:02d}" for i in range(22))]
SHARD_SIZE, SHARDS = 4, 6
PACE = {SLOW: "0.2", SLOW_FIT: "0.1"}  # seconds for an object
# What can be killed, by executor: a part of the victim's command line; none: the command itself, or a whole node.
CHILD = f"sleep {PACE[SLOW]}"  # works for the fake render stage, as Blender does for the real one
VICTIMS = {
    "local": {"driver": "", "worker": "spawn_main", "child": CHILD},
    "ray": {"driver": "", "worker": "ray::render", "actor": "ray::GpuWorker", "node": "", "child": CHILD},
}
NODE = PACE | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # by default workers wait for all else
TABLES = {"assets": "assets", "render": "views", "fit": "gaussians"}
CONFIG = f"""
assets: {{source: fake, path: "{",".join(OBJECTS)}", shard_size: {SHARD_SIZE}}}
render: {{views: 2, resolution: 4}}
fit: {{num_gaussians: 3, backend: auto}}
"""
LIMIT_S = 600.0  # for a command of a round: machines that run tests may be busy


@dataclass(frozen=True)
class Outcome:
    """What came of a round."""

    lost: int  # objects with neither a row of the last table nor an error
    different: int  # tables that are not equal to the undisturbed run's
    problems: int  # found by --verify
    seconds_to_recover: float  # from the kill until the work that it broke off goes on


def undisturbed(folder: Path) -> Corpus:
    """The corpus that every round must end with. The fake stages must be registered."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    config, corpus = load_config(folder / "config.yaml"), Corpus(folder / "corpus")
    ensure_planned(corpus, config)
    run_all(corpus, config)
    return corpus


class TwoNodes:
    """A Ray cluster of two nodes on this machine: one with a GPU that exists on paper, and one that may be lost."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        options = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100_000_000}
        with mock.patch.dict(os.environ, NODE):
            self._cluster = Cluster(initialize_head=True, head_node_args=options | {"num_gpus": 1})
        self.address = self._cluster.address
        self._options = {name: options[name] for name in ("num_cpus", "object_store_memory")}
        self._second = self._add()

    def lose_second(self) -> None:
        """SIGKILL for the second node's raylet; its workers end with it."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def restore(self) -> None:
        """A new second node, where the old one was lost."""
        if self._second not in self._cluster.worker_nodes:
            self._second = self._add()

    def close(self) -> None:
        self._cluster.shutdown()

    def _add(self):
        with mock.patch.dict(os.environ, NODE):
            return self._cluster.add_node(**self._options, wait=True)


def fault_round(
    folder: Path, executor: str, victim: str, seed: int, expected: Corpus, nodes: TwoNodes | None = None
) -> Outcome:
    """Run, kill `victim` at a moment that `seed` chooses, resume if the command has ended, and look at the corpus.

    Args:
        nodes: the cluster that runs on Ray join.
    """
    if nodes is not None:
        nodes.restore()
    folder.mkdir(parents=True)
    backend = "gsplat" if victim == "actor" else "auto"  # gsplat: the fit stage needs a GPU, and so lives in an actor
    (folder / "config.yaml").write_text(CONFIG.replace("backend: auto", f"backend: {backend}"), encoding="utf-8")
    corpus, chance = Corpus(folder / "corpus"), random.Random(f"{executor} {victim} {seed}")
    command = ["--corpus", corpus.root, "--config", str(folder / "config.yaml"), "--executor", executor]
    process = _start(*command, "--workers", "2", nodes=nodes)
    after = chance.randint(1, 16)  # objects
    wait_until(lambda: sum(line.startswith("render ") for line in _log(corpus)) >= after, process)
    time.sleep(chance.uniform(0, 0.3))
    again = _kill(process, executor, victim, corpus, chance, nodes)
    killed_at, logged = time.monotonic(), len(_log(corpus))
    if victim == "driver":
        end(process)
        process, logged = _start(*command, "--workers", "2", nodes=nodes), len(_log(corpus))
        again = {f"{stage} {uid}" for stage in TABLES for uid in OBJECTS}  # workers may have finished theirs
    # What a killed worker had just finished is not made again: then the run has recovered when it is through.
    wait_until(lambda: again.intersection(_log(corpus)[logged:]) or process.poll() == 0, process)
    recovered = time.monotonic() - killed_at
    end(process, expect=0)
    # An object that was in hand at several kills has an error that may pass.
    end(_start("--corpus", corpus.root, "--workers", "1", "--retry-failed"), expect=0)
    return _outcome(corpus, expected, recovered)


def _outcome(corpus: Corpus, expected: Corpus, recovered: float) -> Outcome:
    config = load_config(Path(corpus.root).with_name("config.yaml"))
    found = {*uids_of(corpus, "gaussians"), *(uid for stage in TABLES for uid in errors_of(corpus, stage))}
    places = [(table, shard) for table in TABLES.values() for shard in range(SHARDS)]
    different = sum(fingerprint(corpus, *place) != fingerprint(expected, *place) for place in places)
    problems = verify(corpus, config, range(SHARDS)).problems
    return Outcome(len(set(OBJECTS) - found), different, len(problems), recovered)


def fingerprint(corpus: Corpus, table: str, shard: int) -> str | None:
    record = corpus.shard_record(table, shard)
    return None if record is None else record.fingerprint


def _start(*arguments: str, nodes: TwoNodes | None = None) -> subprocess.Popen:
    command = [sys.executable, "-m", "fakes.run", *arguments]
    environment = os.environ | PACE | ({"RAY_ADDRESS": nodes.address} if nodes is not None else {})
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def end(process: subprocess.Popen, expect: int | None = None) -> None:
    output, _ = process.communicate(timeout=LIMIT_S)
    if expect is not None and process.returncode != expect:
        raise AssertionError(f"exit code {process.returncode}:\n{output}")


def _kill(
    process: subprocess.Popen, executor: str, victim: str, corpus: Corpus, chance: random.Random, nodes: TwoNodes | None
) -> set[str]:
    """SIGKILL for a process of the run, once objects are in hand; gives these, as the log names them."""
    part = VICTIMS[executor][victim]
    parent = process.pid if executor == "local" else os.getpid()  # of its workers
    stages = ["fit"] if victim == "actor" else list(TABLES)
    victims: list[int] = []
    in_hand: set[str] = set()

    def found() -> bool:
        victims[:] = [pid for pid in descendants(parent) if part in command_line(pid)] if part else [process.pid]
        places = [(stage, shard) for stage in stages for shard in range(SHARDS)]
        in_hand.update(f"{stage} {uid}" for stage, shard in places for uid in AtWork(corpus, stage, shard).read().uids)
        return bool(victims and in_hand)

    while True:
        wait_until(found, process)
        if victim == "node":
            nodes.lose_second()
            return in_hand
        try:
            os.kill(chance.choice(victims), signal.SIGKILL)
        except ProcessLookupError:  # it has just ended
            continue
        return in_hand


def _log(corpus: Corpus) -> list[str]:
    return log_of(corpus).read_text(encoding="utf-8").splitlines() if log_of(corpus).exists() else []


def wait_until(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"it did not happen:\n{process.communicate()[0]}")
        time.sleep(0.02)


def descendants(parent: int) -> Iterator[int]:
    for child in _children(parent):
        yield child
        yield from descendants(child)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text(encoding="utf-8").split()]
    except OSError:  # it has just ended
        return []


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return ""
