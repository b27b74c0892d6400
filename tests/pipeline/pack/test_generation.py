"""Packing again: what was packed before stays readable until the new files are all there, on a disk and in a bucket."""

import json
import multiprocessing
import os
import signal

import duckdb
import pytest

from fakes.synthetic_corpus import object_row, write_corpus, write_rows
from pipeline import Corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.manifest import check_folder
from pipeline.pack.stage import PackStage


class Killed(BaseException):
    """Stands for a SIGKILL in a process whose memory holds the bucket."""


def pack(corpus: Corpus, **config) -> None:
    PackStage(PackConfig(**config)).run(corpus)


def uids(corpus: Corpus, split: str = "train") -> list[str]:
    return [item.uid for item in corpus.triplets(split).read(["psnr"])]


class Stopping(Corpus):
    """A corpus that calls `stop` just before a file with `name` in its path is written."""

    def __init__(self, uri, name: str, stop):
        super().__init__(uri)
        self.name, self.stop = name, stop

    def atomic_file(self, path: str):
        if self.name in path:
            self.stop()
        return super().atomic_file(path)


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise_killed() -> None:
    raise Killed


def _pack_and_die(folder: str, name: str) -> None:
    pack(Stopping(folder, name, _kill_self), min_psnr=31.5)


@pytest.mark.parametrize(("name", "new"), [("train-00000", 0), ("README.md", 3), ("manifest.json", 3)])
def test_a_killed_packing_leaves_what_was_packed_before(tmp_path, name, new):
    corpus = write_corpus(tmp_path)
    pack(corpus)
    before = json.loads((tmp_path / "triplets/manifest.json").read_text())
    process = multiprocessing.get_context("spawn").Process(target=_pack_and_die, args=(str(tmp_path), name))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert json.loads((tmp_path / "triplets/manifest.json").read_text()) == before
    assert uids(corpus) == [f"ball-{i:03d}" for i in range(4)]
    problems = check_folder(Corpus(tmp_path / "triplets"))
    assert len(problems) == new and all("not in the manifest" in problem for problem in problems)
    pack(corpus, min_psnr=31.5)
    assert uids(corpus) == ["ball-002", "ball-003"]
    assert check_folder(Corpus(tmp_path / "triplets")) == []
    assert not list(tmp_path.glob("triplets.*"))


def test_on_a_disk_nothing_is_seen_of_files_in_the_making(tmp_path):
    """Neither by those who read the folder instead of the manifest."""
    corpus = write_corpus(tmp_path)
    pack(corpus)
    rows = []

    def count() -> None:
        rows.extend(duckdb.connect().sql(f"SELECT count(*) FROM '{tmp_path}/triplets/*/*.parquet'").fetchall())

    pack(Stopping(tmp_path, ".parquet", count), min_psnr=31.5)
    count()
    assert rows == [(6,)] * 3 + [(4,)]  # before each of three files is written, and at the end


@pytest.mark.parametrize("name", ["README.md", "manifest.json"])
def test_in_a_bucket_the_manifest_switches(name):
    bucket = Corpus(f"memory://packed-again-{len(name)}")  # names of files stop the packing
    write_rows(bucket, [object_row(i, 6, views=3, size=16, num_gaussians=10) for i in range(6)], shard_size=2)
    pack(bucket)
    with pytest.raises(Killed):
        pack(Stopping(bucket.uri, name, _raise_killed), min_psnr=31.5)
    assert len(bucket.filesystem.glob(bucket.path("triplets/train/*.parquet"))) == 2  # old and new
    assert uids(bucket) == [f"ball-{i:03d}" for i in range(4)]
    pack(bucket, min_psnr=31.5)
    assert uids(bucket) == ["ball-002", "ball-003"]
    assert len(bucket.filesystem.glob(bucket.path("triplets/train/*.parquet"))) == 1
    assert check_folder(Corpus(f"{bucket.uri}/triplets")) == []


def test_a_copy_without_its_manifest_can_be_read(tmp_path):
    corpus = write_corpus(tmp_path)
    pack(corpus)
    (tmp_path / "triplets/manifest.json").unlink()
    assert len(uids(corpus)) == 4
