"""Where processes of one user on one machine share what they know of servers' windows: a small file for each server.

The files lie in a private folder of the folder for temporary files. Whatever is wrong with them, work goes on: a file
that is damaged is started anew, a folder that is not ours alone is not used, and the log says so.
"""

import fcntl
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from pipeline.assets.fetch.addresses import Origin
from pipeline.assets.fetch.window import LONGEST_S, Window

logger = logging.getLogger(__name__)

FILE_BYTES = 2048  # of every file: it is written at once, over the one before, and never cut
NAME_CHARACTERS = 100
UNUSED_S = 24 * 3600.0  # files older than this are removed
CLOCKS_S = 60.0  # by which clocks of processes may differ


class WindowFiles:
    """The windows of all servers; may be shared by threads."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir(), f"clip-gs-windows-{os.geteuid()}")
        self._alone: dict[str, Window] | None = None  # this process's own, where the files cannot be used
        self._lock = threading.Lock()

    @contextmanager
    def change(self, server: Origin, create: bool) -> Iterator[Window | None]:
        """The window of a server, to be read and changed by nobody else meanwhile.

        Args:
            create: whether to begin one where nothing is known; else None is what is given.
        """
        name = _name(server)
        number = None if self._alone is not None else self._open(name, create)
        if number is None:
            with self._lock:
                windows = {} if self._alone is None else self._alone
                yield windows.setdefault(name, Window()) if create else windows.get(name)
            return
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            window = self._read(number, name)
            before = window.model_copy()
            yield window
            if window != before:
                self._write(number, window)
        finally:
            os.close(number)

    def _open(self, name: str, create: bool) -> int | None:
        """The opened file of a server; None: there is none, or they cannot be used (`_alone` is set then)."""
        try:
            folder = self._open_folder(create)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._go_alone(f"{self._folder}: {error.strerror}")
            return None
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                number = os.open(name, flags, dir_fd=folder)
            except FileNotFoundError:
                if not create:
                    return None
                self._remove_unused()
                number = os.open(name, flags | os.O_CREAT, 0o600, dir_fd=folder)
        except OSError as error:
            self._go_alone(f"{self._folder / name}: {error.strerror}")
            return None
        finally:
            os.close(folder)
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
            os.close(number)
            self._go_alone(f"{self._folder / name}: it is not a file of this user's alone")
            return None
        return number

    def _open_folder(self, create: bool) -> int:
        if create:
            with suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)
        number = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(number)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            os.close(number)
            raise PermissionError(0, "others can write or read there; remove it")
        return number

    def _read(self, number: int, name: str) -> Window:
        try:
            text = os.pread(number, FILE_BYTES + 1, 0).strip()
            if not text:
                return Window()
            window = Window.model_validate_json(text)
            if window.closed_until > time.time() + LONGEST_S + CLOCKS_S:
                raise ValueError("it names a moment too far ahead")
        except (ValidationError, ValueError, OSError):
            logger.warning("%s: what was noted of this server's limit is damaged; starting anew", self._folder / name)
            with suppress(OSError):
                os.ftruncate(number, 0)
            return Window()
        return window

    def _write(self, number: int, window: Window) -> None:
        try:
            os.pwrite(number, window.model_dump_json().encode().ljust(FILE_BYTES), 0)
        except OSError as error:
            self._go_alone(f"{self._folder}: {error.strerror}")

    def _go_alone(self, reason: str) -> None:
        with self._lock:
            if self._alone is None:
                logger.warning("%s; the pauses that servers ask for are kept by each process alone", reason)
                self._alone = {}

    def _remove_unused(self) -> None:
        for file in self._folder.glob("*.json"):
            with suppress(OSError):
                if file.lstat().st_mtime < time.time() - UNUSED_S:
                    file.unlink()


def _name(server: Origin) -> str:
    text = quote(f"{server.host}_{server.port}", safe="[]")
    if len(text) > NAME_CHARACTERS:
        text = f"{text[:NAME_CHARACTERS]}-{sha256(text.encode()).hexdigest()[:16]}"
    return f"{text}.json"
