"""What processes share of servers' windows survives damage and is no way in for others."""

import os
import time

import pytest

from pipeline.assets.fetch.addresses import Origin
from pipeline.assets.fetch.window_files import FILE_BYTES, UNUSED_S, WindowFiles

HUB = Origin("https", "huggingface.co", 443)


@pytest.fixture
def folder(nobody):
    return nobody / f"clip-gs-windows-{os.geteuid()}"


def note(limit: int) -> None:
    with WindowFiles().change(HUB, create=True) as window:
        window.limit = limit


def noted(files: WindowFiles | None = None, create: bool = False) -> int | None:
    with (files or WindowFiles()).change(HUB, create) as window:
        return window.limit if window is not None else None


def test_what_one_notes_the_others_see(folder):
    assert noted() is None
    assert not folder.exists()
    note(3000)
    note(5)
    assert noted() == 5
    assert folder.stat().st_mode & 0o777 == 0o700
    [file] = folder.iterdir()
    assert (file.stat().st_mode & 0o777, file.stat().st_size) == (0o600, FILE_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff" * 5000,
        b'{"limit": -1}',
        b'{"limit": 1, "other": 2}',
        b'{"closed_until": 1e300}',
        b'{"closed_until": NaN}',
        b'{"why": "\\u001b[31m"}',
        b"[" * 2000,
    ],
    ids=["cut", "long", "negative", "other fields", "far ahead", "no number", "control character", "nested"],
)
def test_damage_is_told_and_started_anew(folder, caplog, data):
    note(5)
    next(folder.iterdir()).write_bytes(data)
    assert noted() == 0
    assert "damaged; starting anew" in caplog.text
    note(7)
    assert noted() == 7


@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "pipe"])
def test_a_file_that_is_not_ours_alone_is_not_touched(folder, tmp_path, caplog, kind):
    note(5)
    file, other = next(folder.iterdir()), tmp_path / "other"
    other.write_bytes(b"precious")
    file.unlink()
    if kind == "link":
        file.symlink_to(other)
    elif kind == "hard link":
        file.hardlink_to(other)
    elif kind == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)
    files = WindowFiles()
    with files.change(HUB, create=True) as window:
        window.limit = 9
    assert noted(files) == 9  # by this process alone
    assert other.read_bytes() == b"precious"
    assert [line for line in caplog.messages if "kept by each process alone" in line] == caplog.messages[:1]


@pytest.mark.parametrize("kind", ["link", "open", "file"])
def test_a_folder_that_is_not_ours_alone_is_not_used(folder, tmp_path, caplog, kind):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "link":
        folder.symlink_to(elsewhere)
    elif kind == "open":
        folder.mkdir()
        folder.chmod(0o770)
    else:
        folder.write_bytes(b"")
    assert noted(create=True) == 0
    assert not list(elsewhere.iterdir())
    assert "kept by each process alone" in caplog.text


def test_files_that_nobody_uses_are_removed(folder):
    note(5)
    [old] = folder.iterdir()
    os.utime(old, (time.time() - UNUSED_S - 60,) * 2)
    with WindowFiles().change(Origin("https", "x" * 300, 443), create=True):
        pass
    [new] = folder.iterdir()
    assert new != old
