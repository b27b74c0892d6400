"""Temporary files and folders named after the process that made them, so that those of a killed one can be removed.

A process number means something on one machine, since its last start, in one namespace of processes: containers may
share a host name and a corpus, and each has its own process 1. What others made is left alone until it is old.
"""

import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

OLD_S = 7 * 24 * 3600  # nothing that a run still works on stays untouched for so long
SCRATCH = "clip-gs-scratch-"  # what is ours in the machine's folder for temporary files begins so
_OWNED = re.compile(r"(?P<owner>.+)\.(?P<pid>\d{1,10})\.[0-9a-f]{32}")


def owned_name() -> str:
    """A unique name for something temporary: HOST-MARK.PID.RANDOM."""
    return f"{_here()}.{os.getpid()}.{uuid.uuid4().hex}"


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A path for a folder of temporary files, which who needs it makes; it is gone after the block.

    Args:
        parent: where it lies; None: in the machine's folder for temporary files. What killed processes left there goes.
    """
    prefix = "" if parent else SCRATCH
    parent = parent or Path(tempfile.gettempdir())
    remove_dead(parent, prefix)
    folder = parent / f"{prefix}{owned_name()}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_dead(folder: Path, prefix: str = "") -> None:
    """Remove what processes that have ended left in `folder`, under PREFIX + `owned_name()`.

    Of the processes here it is known whether they have ended. What a lost machine or another container left goes once
    it is older than `OLD_S`.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        found = _OWNED.fullmatch(path.name.removeprefix(prefix)) if path.name.startswith(prefix) else None
        if found is None or not (_has_ended(int(found["pid"])) if found["owner"] == _here() else _is_old(path)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@cache
def _here() -> str:
    """The host's name, and a mark of its last start and of this namespace of processes."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    started = boot.read_text(encoding="ascii") if boot.is_file() else ""
    processes = str(namespace.readlink()) if namespace.is_symlink() else ""
    return f"{socket.gethostname()}-{hashlib.sha256(f'{started} {processes}'.encode()).hexdigest()[:12]}"


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > OLD_S
    except OSError:  # it has just gone
        return False


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        return False
    # A killed process that nobody waits for (as in containers without an init) keeps its number, but does nothing.
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:  # it has just ended, or this system has no /proc
        return status.parent.parent.exists()
