"""A corpus in a bucket: a real S3 server on loopback, which fails, stalls and dawdles as real ones do."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.fs
import pytest
import requests
import s3fs

from fakes.corpus import errors_of, run_all
from fakes.stages import LOG, SLOW
from fakes.synthetic_corpus import object_row, write_rows
from model.training.checkpoint import load_checkpoint
from pipeline import Corpus
from pipeline.base.errors import StorageError
from pipeline.executors import spread_local
from pipeline.pack.config import PackConfig
from pipeline.pack.manifest import check_folder
from pipeline.pack.stage import PackStage
from pipeline.reading.triplets import Triplets
from pipeline.run import main
from pipeline.stages.config import load_config
from pipeline.state.planning import ensure_planned
from pipeline.store import bucket
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.leftovers import SCRATCH

BUCKET = "corpora"
SHARDS = 2
CONFIG = """
assets: {source: fake, path: "ant,bee,broken,failure", shard_size: 2}
render: {views: 2, resolution: 4}
fit: {num_gaussians: 3}
"""
UPLOAD = """
import sys, s3fs.core
from pipeline import Corpus
from pipeline.store.corpus_store import CorpusStore
s3fs.core.calculate_chunksize = lambda size, **_: 5 * 2**20  # so that a file of 12 MB has parts
corpus = Corpus(sys.argv[1])
with corpus.atomic_file(corpus.path("large.bin")) as file:
    file.write_bytes(bytes(12 * 2**20))
"""


@dataclass
class Server:
    url: str

    def misbehave(self, **faults: float) -> None:
        """See fakes/s3_server.py; nothing named: behave."""
        requests.put(f"{self.url}/_faults", json=faults, timeout=10).raise_for_status()

    def happened(self) -> dict[str, int]:
        return requests.get(f"{self.url}/_faults", timeout=10).json()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "fakes.s3_server"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "anybody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(s3fs.S3FileSystem, "read_timeout", 0.5)  # of this process; 15 s are long in a test
        s3fs.S3FileSystem.clear_instance_cache()
        Corpus(f"s3://{BUCKET}").filesystem.mkdir(BUCKET)
        yield Server(url)
    s3fs.S3FileSystem.clear_instance_cache()
    process.kill()
    process.communicate()


@pytest.fixture
def corpus(server, fakes, tmp_path, monkeypatch) -> Corpus:
    """A new place in the bucket; config.yaml and the log of the fake stages are in `tmp_path`."""
    monkeypatch.setenv(LOG, str(tmp_path / "stages.log"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that TMPDIR counts in this process too
    (tmp_path / "scratch").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    server.misbehave()
    return Corpus(f"s3://{BUCKET}/{tmp_path.name}/corpus")


def fingerprints(corpus: Corpus) -> list[str]:
    tables = ("assets", "views", "gaussians")
    return [corpus.shard_record(table, shard).fingerprint for table in tables for shard in range(SHARDS)]


def wait_until(condition: Callable[[], object], timeout_s: float = 300.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_run_that_is_killed_goes_on_although_the_store_misbehaves(corpus, server, tmp_path, capfd):
    config, log = tmp_path / "config.yaml", tmp_path / "stages.log"
    command = ["--corpus", corpus.uri, "--config", str(config)]
    killed = subprocess.Popen(
        [sys.executable, "-m", "fakes.run", *command, "--workers", "2"], env=os.environ | {SLOW: "0.5"}
    )
    wait_until(lambda: log.exists() and log.read_text().count("render "))
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    server.misbehave(errors=0.04, stalls=0.01, slow=0.1, stall_s=1.0, seed=1)
    assert main([*command, "--workers", "1"]) == 0
    assert main(["--corpus", corpus.uri, "--verify"]) == 0
    assert "OK: 6 tables, 7 rows, 4 images, 3 asset files" in capfd.readouterr().out
    assert main(["--corpus", corpus.uri, "--status"]) == 0
    assert main(["--corpus", corpus.uri]) == 0
    assert "Nothing to do" in capfd.readouterr().out
    assert all(server.happened()[fault] for fault in ("errors", "stalls", "slow"))

    local = Corpus(tmp_path / "local")
    ensure_planned(local, load_config(config))
    run_all(local, load_config(config))
    assert fingerprints(corpus) == fingerprints(local)
    assert not list(Path(tmp_path, "scratch").glob(f"{SCRATCH}*"))  # uploads and stages leave nothing behind


def pack(corpus: Corpus, spread_bytes: int = PackStage.spread_bytes, **config: float) -> list[str]:
    """Pack; gives the packed files that lie in the bucket."""
    settings = PackConfig(file_bytes=5_000, **config)
    stage = PackStage(settings, partial(spread_local.spread, workers=2))
    stage.spread_bytes = spread_bytes
    stage.run(corpus)
    return corpus.filesystem.glob(corpus.path("triplets/*/*.parquet"))


def test_a_bucket_is_packed_again_and_read(server, tmp_path, monkeypatch):
    server.misbehave()
    corpus = Corpus(f"s3://{BUCKET}/{tmp_path.name}/packed")
    rows = [object_row(i, 6, views=3, size=16, num_gaussians=10) for i in range(6)]
    write_rows(corpus, rows, shard_size=3)
    first = pack(corpus, spread_bytes=0)  # by processes
    assert len(first) >= 4  # of train, val and heldout
    before = corpus.read_json("triplets/manifest.json")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline.pack.stage.render_card", stop)
        pack(corpus, min_psnr=31.5)
    assert corpus.read_json("triplets/manifest.json") == before
    assert [item.uid for item in Corpus.open(corpus.uri).triplets("train")] == [f"ball-{i:03d}" for i in range(4)]

    second = pack(corpus, min_psnr=31.5)
    assert not set(first) & set(second)
    copy = Corpus.open(f"{corpus.uri}/triplets")
    assert check_folder(copy) == []
    for place in (Corpus.open(corpus.uri), copy):
        assert [item.uid for item in place.triplets("train")] == ["ball-002", "ball-003"]
        item = place.object("ball-003")
        np.testing.assert_allclose(item.gaussians[:, :3], rows[3]["means"], atol=1e-6)
        assert item.views[2].size == (16, 16)
    # as teams read it who have nothing of ours
    arrow = pyarrow.fs.S3FileSystem(endpoint_override=server.url, region="us-east-1")
    table = ds.dataset(corpus.path("triplets/train"), filesystem=arrow).to_table(columns=["uid", "means"])
    assert table["uid"].to_pylist() == ["ball-002", "ball-003"]
    np.testing.assert_allclose(table["means"][1].values, rows[3]["means"].reshape(-1), atol=1e-6)


def test_an_upload_that_is_killed_leaves_nothing(corpus, server, monkeypatch):
    server.misbehave(hold_part=2)
    upload = subprocess.Popen([sys.executable, "-c", UPLOAD, corpus.uri])
    wait_until(lambda: server.happened().get("hold_part"))
    upload.send_signal(signal.SIGKILL)
    upload.wait()
    uploads = corpus.filesystem.list_multipart_uploads
    assert not corpus.exists("large.bin") and len(uploads(BUCKET)) == 1
    [scratch] = Path(tempfile.gettempdir()).glob(f"{SCRATCH}*")
    corpus.write_text("still here", "small.txt")

    monkeypatch.setattr(bucket, "UPLOAD_DAYS", 365_000)  # it is not old enough: somebody may be at it
    corpus.remove_leftovers()
    assert len(uploads(BUCKET)) == 1 and not scratch.exists()
    monkeypatch.undo()
    Corpus(f"s3://{BUCKET}/elsewhere").remove_leftovers()
    assert len(uploads(BUCKET)) == 1
    corpus.remove_leftovers()
    assert uploads(BUCKET) == [] and corpus.exists("small.txt")


def test_a_store_out_of_reach_is_no_fault_of_objects_or_files(corpus, server, tmp_path, monkeypatch, capfd):
    command = ["--corpus", corpus.uri, "--config", str(tmp_path / "config.yaml"), "--workers", "1"]
    assert main([*command, "--stage", "assets"]) == 0
    monkeypatch.setitem(bucket.OPTIONS, "s3", {"config_kwargs": {"retries": {"max_attempts": 1}}})
    original = CorpusStore.put_asset

    def break_down(self, *arguments):
        server.misbehave(errors=1.0)
        return original(self, *arguments)

    monkeypatch.setattr(CorpusStore, "put_asset", break_down)
    capfd.readouterr()
    assert main([*command, "--stage", "assets", "--force"]) == 3
    assert "error: the corpus's storage does not serve" in capfd.readouterr().err
    assert main(["--corpus", corpus.uri, "--repair"]) == 3
    server.misbehave()
    assert main(["--corpus", corpus.uri, "--verify"]) == 0
    assert errors_of(corpus, "assets").keys() == {"broken"}


WAYS: list[Callable[[Corpus], object]] = [
    lambda corpus: corpus.exists("a.txt"),
    lambda corpus: corpus.read_bytes("a.txt"),
    lambda corpus: corpus.digest("a.txt"),
    lambda corpus: corpus.names("runs"),
    lambda corpus: corpus.parquet_files(),
    lambda corpus: corpus.remove("a.txt"),
    lambda corpus: corpus.remove_folder("runs"),
    lambda corpus: corpus.rename_folder("runs", "kept"),
    lambda corpus: Triplets(corpus),
    lambda corpus: load_checkpoint(corpus, "default"),
]


def test_every_way_into_a_store_that_is_out_of_reach_says_so(corpus, server, monkeypatch):
    monkeypatch.setitem(bucket.OPTIONS, "s3", {"config_kwargs": {"retries": {"max_attempts": 1}}})
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    corpus.write_text("some text", "a.txt")
    impatient = Corpus(corpus.uri)
    assert impatient.digest("a.txt") == (hashlib.sha256(b"some text").hexdigest(), 9)
    with impatient.open_binary("a.txt") as file:
        assert (file.read(4), file.seek(5), file.read()) == (b"some", 5, b"text")
    server.misbehave(errors=1.0)
    for way in WAYS:
        with pytest.raises(StorageError, match="the corpus's storage does not serve"):
            way(impatient)
