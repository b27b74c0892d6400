"""Temporary files and folders named after the process that made them, so that those of a killed one can be removed."""

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRATCH = "clip-gs-scratch-"  # what is ours in the machine's folder for temporary files begins so


def owned_name() -> str:
    """A unique name for something temporary: HOST.PID.RANDOM."""
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}"


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
    """Remove what processes of this machine that have ended left in `folder`, under PREFIX + `owned_name()`."""
    for path in folder.glob(f"{prefix}*"):
        host, pid, _ = [*path.name.removeprefix(prefix).rsplit(".", 2), "", ""][:3]
        if host != socket.gethostname() or not pid.isdigit() or _is_alive(int(pid)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    # A killed process that nobody waits for (as in containers without an init) keeps its number, but does nothing.
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it has just ended, or this system has no /proc
        return not status.parent.parent.exists()
