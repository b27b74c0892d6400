"""Files written side by side, by processes and by Ray tasks: the same bytes, and a kill leaves what was there."""

import json
import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

from fakes.synthetic_corpus import write_corpus
from pipeline import Corpus
from pipeline.executors import spread_local
from pipeline.pack import stage
from pipeline.pack.config import PackConfig
from pipeline.pack.manifest import check_folder
from pipeline.pack.stage import PackStage
from pipeline.stages.stage import one_by_one

SMALL_FILES = PackConfig(file_bytes=15_000)


class SpreadingPack(PackStage):
    """Spreads however little there is to write."""

    spread_bytes = 0


def manifest(corpus: Corpus) -> dict:
    return json.loads(Path(corpus.path("triplets/manifest.json")).read_text())


def test_the_bytes_are_those_of_one_process(tmp_path, spread):
    corpus = write_corpus(tmp_path, objects=12)
    PackStage(SMALL_FILES, one_by_one).run(corpus)
    alone = manifest(corpus)
    assert len(alone["files"]) > 4
    for path in tmp_path.glob("triplets/*/*.parquet"):
        path.unlink()
    calls = []
    SpreadingPack(SMALL_FILES, lambda *call, **limits: calls.append(limits) or spread(*call, **limits)).run(corpus)
    assert calls == [{"at_once": 4, "memory_gb": stage.WRITER_GB}]
    assert manifest(corpus) == alone
    assert check_folder(Corpus(tmp_path / "triplets")) == []  # the files have the checksums of those that are gone
    assert not list(tmp_path.glob("triplets.*"))


def test_little_is_written_without_other_processes(tmp_path):
    def spread(*_: object, **__: object) -> None:
        raise AssertionError("not worth while")

    assert PackStage(SMALL_FILES, spread).run(write_corpus(tmp_path, objects=6))["files"] > 2


def _write_and_kill_parent(write, folder: Path, item):
    written = write(item)
    folder.joinpath(f"worker-{os.getpid()}").touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return written


def _pack_and_be_killed(folder: Path) -> None:
    def spread(function, items, **limits):
        return spread_local.spread(partial(_write_and_kill_parent, function, folder), items, workers=2, **limits)

    SpreadingPack(SMALL_FILES.model_copy(update={"min_psnr": 31.5}), spread).run(Corpus(folder))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_packing_leaves_what_was_packed_before_and_no_processes(tmp_path):
    corpus = write_corpus(tmp_path, objects=8)
    PackStage(SMALL_FILES).run(corpus)
    before = manifest(corpus)
    # Not a daemon, which could have no processes of its own.
    process = multiprocessing.get_context("spawn").Process(target=_pack_and_be_killed, args=(tmp_path,), daemon=False)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    workers = [int(path.name.removeprefix("worker-")) for path in tmp_path.glob("worker-*")]
    deadline = time.monotonic() + 120
    while any(_is_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "its processes work on"
        time.sleep(0.1)
    assert workers and manifest(corpus) == before
    assert check_folder(Corpus(tmp_path / "triplets")) == []
    assert list(tmp_path.glob("triplets.tmp-*"))
    PackStage(SMALL_FILES).run(corpus)
    assert manifest(corpus) == before and not list(tmp_path.glob("triplets.tmp-*"))
