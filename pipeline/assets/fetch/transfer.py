"""One download in progress: how much has arrived, what may follow, and the limits that it must keep to."""

import hashlib
import re
import threading
import time
from http import HTTPStatus
from typing import BinaryIO

import requests

from pipeline.assets.files.checks import HEAD_BYTES, what_it_is_instead
from pipeline.base.errors import AssetError, Modified, Timeout, Unreachable

_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)$")


class Passing(Exception):
    """A response that may be better at the next attempt."""


class Transfer:
    """The state of one download.

    Attributes:
        name: the address as messages name it.
        received: bytes that are there.
        is_token_refused: whether the server refused this file when it was asked with the user's token.
        refusals: how often a server that takes no requests said so to this file.
        waited_s: seconds that servers were waited for while they took no requests; not of its time limit.
        sha256: checksum that the whole must have; empty: any.
    """

    def __init__(
        self, name: str, file: BinaryIO, max_bytes: int, sha256: str, timeout_s: float, stopped: threading.Event
    ):
        """
        Args:
            stopped: ends it, and any wait of its, from another thread.
        """
        self.name = name
        self._stopped = stopped
        self.sha256 = sha256
        self.received = 0
        self.is_token_refused = False
        self.refusals = 0
        self.waited_s = 0.0
        self._file = file
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._validator = ""  # strong ETag of the version that `received` bytes are of
        self._total: int | None = None  # bytes of the whole file, where a partial answer says so
        self._digest = hashlib.sha256()
        self._head = b""

    def headers(self) -> dict[str, str]:
        """Ask for the rest, if it is certain to be the rest of the same bytes."""
        plain = {"Accept-Encoding": "identity"}
        if not (self.received and self._validator):
            return plain
        return {**plain, "Range": f"bytes={self.received}-", "If-Range": self._validator}

    def take_up(self, response: requests.Response) -> None:
        """Resume from what has arrived, or restart, as the response says."""
        self._total = None
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            part = _RANGE.match(response.headers.get("Content-Range", ""))
            if not self.received or part is None or int(part[1]) != self.received:
                self.start_again()
                raise Passing("the server sent a different range from the one requested")
            if part[2] != "*":
                self._total = int(part[2])
        else:
            self.start_again()
        etag = response.headers.get("ETag", "")
        self._validator = etag if etag.startswith('"') else ""
        announced = response.raw.length_remaining
        if announced is not None:
            self._check_size(self.received + announced)

    def start_again(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.received, self._validator, self._digest, self._head = 0, "", hashlib.sha256(), b""

    def add(self, chunk: bytes) -> None:
        self.left_s()
        self._check_size(self.received + len(chunk))
        self._file.write(chunk)
        self._digest.update(chunk)
        self._head += chunk[: HEAD_BYTES - len(self._head)]
        self.received += len(chunk)

    def end(self) -> None:
        """The body has ended: is it the whole file? (That it has the length of its own header, urllib3 makes sure.)"""
        if self._total is not None and self.received != self._total:
            raise Passing(f"{self.received} of {self._total} bytes arrived")

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            Timeout, Unreachable: as `left_s`, afterwards.
        """
        self._stopped.wait(seconds)
        self.left_s()

    def wait_outside(self, seconds: float) -> None:
        """Wait outside its time limit.

        Raises:
            Unreachable: it was stopped.
        """
        started = time.monotonic()
        self._stopped.wait(seconds)
        waited = time.monotonic() - started
        self.waited_s += waited
        self._end += waited
        self.left_s()

    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            Timeout: none.
            Unreachable: it was stopped.
        """
        if self._stopped.is_set():
            raise Unreachable(f"{self.name}: incomplete, as the work was stopped")
        left = self._end - time.monotonic()
        if left <= 0:
            raise Timeout(
                f"{self.name}: incomplete after {self._timeout_s:g} s ({self.received} bytes arrived); "
                "a slow connection needs a larger assets.timeout_s"
            )
        return left

    def check(self) -> None:
        """Refuse a whole file with a wrong checksum.

        Raises:
            AssetError: it is something else altogether.
            Modified: it is another one.
        """
        found = self._digest.hexdigest()
        if self.sha256 and found != self.sha256:
            if instead := what_it_is_instead(self._head):
                raise AssetError(f"{self.name}: the server sent {instead} instead of the file")
            raise Modified(
                f"{self.name}: its SHA-256 is {found}, not {self.sha256}: "
                "the file has changed or was damaged in transit"
            )

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise AssetError(f"{self.name}: it has {size} bytes or more; the limit is {self._max_bytes}")
