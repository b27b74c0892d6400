"""One round of the fault campaign with the real Blender: its process is killed while a worker of Ray waits for it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from fakes.corpus import errors_of, uids_of
from fakes.fault_round import Outcome, TwoNodes, command_line, descendants, end, fingerprint, wait_until
from pipeline import Corpus
from pipeline.stages.config import load_config
from pipeline.state.verify import verify
from pipeline.work.at_work import AtWork, Note

OBJECTS, SHARDS = 4, 2
CONFIG = """
assets: {{source: folder, path: {models}, shard_size: 2}}
render: {{engine: blenderproc, views: 12, resolution: 128, samples: 4}}
"""
TETRAHEDRON = "v 0 0 0\nv {size} 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


def blender_undisturbed(folder: Path, nodes: TwoNodes) -> Corpus:
    """The corpus that every round must end with."""
    corpus = _fetched(folder)
    end(_start(corpus, nodes), expect=0)
    return corpus


def blender_round(folder: Path, seed: int, expected: Corpus, nodes: TwoNodes) -> Outcome:
    """Render by the real engine under Ray, kill a Blender at a moment that `seed` chooses, and look at the corpus."""
    nodes.restore()
    corpus, chance = _fetched(folder), random.Random(f"blender {seed}")
    process = _start(corpus, nodes)
    wait_until(lambda: all(note.uids for note in _notes(corpus)), process)
    time.sleep(chance.uniform(0, 1.0))
    victims: list[int] = []
    in_hand: dict[tuple[str, ...], int] = {}

    def at_work() -> bool:
        victims[:] = [pid for pid in descendants(os.getpid()) if "render.blender.worker" in command_line(pid)]
        in_hand.update({note.uids: note.call for note in _notes(corpus) if note.uids})
        return bool(victims and in_hand)

    wait_until(at_work, process)
    os.kill(chance.choice(victims), signal.SIGKILL)
    killed_at = time.monotonic()

    def goes_on() -> bool:
        again = any(note.call > in_hand.get(note.uids, note.call) for note in _notes(corpus))
        return again or process.poll() == 0

    wait_until(goes_on, process)
    recovered = time.monotonic() - killed_at
    end(process, expect=0)
    found = {*uids_of(corpus, "views"), *errors_of(corpus, "assets"), *errors_of(corpus, "render")}
    different = sum(fingerprint(corpus, "views", shard) != fingerprint(expected, "views", shard) for shard in range(2))
    problems = verify(corpus, load_config(folder / "config.yaml"), range(SHARDS)).problems
    return Outcome(OBJECTS - len(found), different, len(problems), recovered)


def _notes(corpus: Corpus) -> list[Note]:
    return [AtWork(corpus, "render", shard).read() for shard in range(SHARDS)]


def _fetched(folder: Path) -> Corpus:
    """A corpus of four tetrahedra whose assets stage is done."""
    models = folder / "models"
    models.mkdir(parents=True)
    for number in range(OBJECTS):
        (models / f"shape-{number}.obj").write_text(TETRAHEDRON.format(size=number + 1), encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG.format(models=models), encoding="utf-8")
    command = ["--corpus", str(folder / "corpus"), "--config", str(folder / "config.yaml"), "--stage", "assets"]
    subprocess.run([sys.executable, "-m", "pipeline.run", *command, "--workers", "1"], check=True, capture_output=True)
    return Corpus(folder / "corpus")


def _start(corpus: Corpus, nodes: TwoNodes) -> subprocess.Popen:
    command = ["--corpus", corpus.root, "--stage", "render", "--executor", "ray", "--workers", "2"]
    environment = os.environ | {"RAY_ADDRESS": nodes.address}
    command = [sys.executable, "-m", "pipeline.run", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
