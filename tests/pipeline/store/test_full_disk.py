"""A disk that fills up stops the run with one clear line and nothing half-written; with room, it goes on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.corpus import UIDS, errors_of, fake_config, uids_of
from fakes.stages import SCRATCH_BYTES
from pipeline import Corpus
from pipeline.run import main
from pipeline.state.verify import verify
from pipeline.store.leftovers import SCRATCH

CONFIG = f"""
assets: {{source: fake, path: "{UIDS}", shard_size: 3}}
render: {{views: 4, resolution: 256}}
fit: {{num_gaussians: 3}}
"""
# A file that may not grow is as a full disk, and takes no rights to try; a small disk of one's own is the real thing.
LIMITED = "ulimit -f 1000; exec {command}"  # KiB: one shard of views has more
SMALL_DISK = "mount -t tmpfs -o size=3m none {folder} && {command}; status=$?; cp -r {folder} {copy}; exit $status"


@pytest.fixture
def config_file(fakes, tmp_path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


def run(script: str, *arguments: object, folder: Path, shell: tuple[str, ...] = ("bash", "-c"), **environment: str):
    """A command of the fake stages inside a shell script, which may use {command}, {folder} and {copy}."""
    command = " ".join([sys.executable, "-m", "fakes.run", *map(str, arguments)])
    script = script.format(command=command, folder=folder, copy=folder.with_name("copy"))
    return subprocess.run([*shell, script], capture_output=True, text=True, env=os.environ | environment, timeout=300)


def assert_stopped(done: subprocess.CompletedProcess, reason: str) -> None:
    assert done.returncode == 3, done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert reason in line and "make room" in line
    assert "To resume: python -m pipeline.run --corpus " in line


def assert_goes_on(corpus: Corpus) -> None:
    assert main(["--corpus", corpus.root, "--workers", "1"]) == 0
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "dog", "gnu"]
    assert errors_of(corpus, "render").keys() == {"failure"}
    config = fake_config(UIDS, render={"views": 4, "resolution": 256})
    assert verify(corpus, config, range(3)).problems == []
    assert not list(Path(corpus.root, ".tmp").iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_that_finds_no_room(tmp_path, config_file, workers):
    corpus = Corpus(tmp_path / "corpus")
    arguments = ("--corpus", corpus.root, "--config", config_file, "--workers", workers)
    done = run(LIMITED, *arguments, folder=Path(corpus.root))
    assert_stopped(done, "the file size limit is reached")
    assert corpus.shards("views") == [] and not list(Path(corpus.root, ".tmp").glob("*.json"))
    assert_goes_on(corpus)


def test_a_scratch_folder_without_room_fails_no_object(tmp_path, config_file):
    corpus = Corpus(tmp_path / "corpus")
    arguments = ("--corpus", corpus.root, "--config", config_file, "--workers", 1)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = run(LIMITED, *arguments, folder=Path(corpus.root), TMPDIR=str(scratch), **{SCRATCH_BYTES: "2000000"})
    assert_stopped(done, "the file size limit is reached")
    assert errors_of(corpus, "assets") == {} and not list(scratch.glob(f"{SCRATCH}*"))
    assert_goes_on(corpus)


def test_a_disk_that_is_full(tmp_path, config_file):
    unshare = ("unshare", "--user", "--map-root-user", "--mount", "bash", "-c")
    corpus = Corpus(tmp_path / "copy" / "corpus")
    folder = tmp_path / "disk"
    folder.mkdir()
    allowed = subprocess.run([*unshare, f"mount -t tmpfs none {folder}"], capture_output=True)
    if allowed.returncode:
        pytest.skip("this user may not mount a small disk of its own")
    arguments = ("--corpus", folder / "corpus", "--config", config_file, "--workers", 1)
    done = run(SMALL_DISK, *arguments, folder=folder, shell=unshare)
    assert_stopped(done, "no space left")
    assert re.search(r"corpus .*/disk/corpus: 0\.00 GB free", done.stderr)
    assert len(corpus.shards("views")) in (1, 2)  # the finished ones stay
    assert_goes_on(corpus)
