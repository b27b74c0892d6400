"""Folders of temporary files: gone after their block, and after their process."""

import os
import tempfile
from pathlib import Path

import pytest

from pipeline import Corpus
from pipeline.store.leftovers import scratch_folder


def killed_with_scratch(folder) -> Path:
    """What a process leaves that ends in the midst of its work."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        scratch = folder.__enter__()
        scratch.mkdir(parents=True)
        (scratch / "0.arrow").touch()
        os.write(write, str(scratch).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return Path(os.read(read, 4096).decode())


def test_it_is_made_by_who_needs_it_and_gone_after_the_block(tmp_path):
    with scratch_folder(tmp_path / "parent") as scratch:
        assert not (tmp_path / "parent").exists()
        scratch.mkdir(parents=True)
        (scratch / "file").touch()
    assert list((tmp_path / "parent").iterdir()) == []


def test_it_is_gone_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path) as scratch:
        scratch.mkdir()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_plan_left_goes_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for new in (Corpus(tmp_path / "corpus").scratch_folder, scratch_folder):
        left = killed_with_scratch(new())
        assert left.exists()
        with new():
            assert not left.exists()


def test_a_bucket_has_its_temporary_files_on_this_machine():
    with Corpus("memory://somewhere/corpus").scratch_folder() as scratch:
        assert scratch.parent == Path(tempfile.gettempdir())
