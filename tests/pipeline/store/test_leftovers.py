"""Temporary files of those who have ended go, and nobody else's."""

import os
import re
import time
import uuid
from pathlib import Path

import pytest

from pipeline import Corpus
from pipeline.store.leftovers import OLD_S, owned_name, remove_dead


def of_another_owner(pid: int = 1) -> str:
    """As a container with this machine's host name would call it, whose processes have numbers of their own."""
    owner = owned_name().rsplit(".", 2)[0]
    return f"{owner[:-12]}{'0' * 12}.{pid}.{uuid.uuid4().hex}"


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / ".tmp").mkdir()
    return tmp_path / ".tmp"


def test_files_of_a_process_that_has_ended_go(folder):
    child = os.fork()
    if child == 0:
        (folder / owned_name()).touch()
        (folder / owned_name()).mkdir()
        os._exit(0)
    os.waitpid(child, 0)
    mine = folder / owned_name()
    mine.touch()
    assert len(list(folder.iterdir())) == 3
    Corpus(folder.parent).remove_leftovers()
    assert list(folder.iterdir()) == [mine]


@pytest.mark.parametrize("pid", [1, os.getpid(), 2**22 - 1, 9_999_999_999])
def test_files_of_other_owners_stay_until_they_are_old(folder, pid):
    young, old = folder / of_another_owner(pid), folder / of_another_owner(pid)
    for path in (young, old):
        path.mkdir()
    age(young, OLD_S - 60)
    age(old, OLD_S + 60)
    remove_dead(folder)
    assert list(folder.iterdir()) == [young]


@pytest.mark.parametrize("name", ["notes.txt", "elsewhere.1.abc", "a.b.c", ".hidden"])
def test_what_is_nobodys_stays(folder, name):
    (folder / name).touch()
    age(folder / name, 10 * OLD_S)
    remove_dead(folder)
    assert (folder / name).exists()


def test_the_folder_of_a_process_that_lives_stays_however_old(folder):
    mine = folder / owned_name()
    mine.touch()
    age(mine, 10 * OLD_S)
    remove_dead(folder)
    assert mine.exists()


def test_owners_differ_by_host_boot_and_namespace():
    assert re.fullmatch(r".+-[0-9a-f]{12}\.\d+\.[0-9a-f]{32}", owned_name())
