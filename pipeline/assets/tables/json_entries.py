"""The entries of a JSON file that is too large to be held whole."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

MAX_ENTRY = 50_000_000  # characters
CHUNK = 1 << 20


def entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Key and value of each entry of the object in the file; of a list the values, with empty keys.

    Raises:
        OSError, ValueError: the file cannot be read, is not JSON, or one entry is larger than `MAX_ENTRY`.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text = _Text(file)
        opening = text.take()
        if opening not in ("{", "["):
            raise ValueError("it is neither a JSON object nor a list")
        closing = {"{": "}", "[": "]"}[opening]
        if text.next() == closing:
            return
        while True:
            key = ""
            if opening == "{":
                key = str(text.value())
                if text.take() != ":":
                    raise ValueError("a key has no value")
            yield key, text.value()
            mark = text.take()
            if mark == closing:
                return
            if mark != ",":
                raise ValueError("it breaks off" if not mark else f"{mark!r} stands between two entries")


class _Text:
    """A file's text, of which no more is held than one entry."""

    def __init__(self, file: TextIO):
        self._file, self._text, self._place = file, "", 0
        self._decoder = json.JSONDecoder()

    def next(self) -> str:
        """The next letter that is no space; nothing at the end."""
        while True:
            while self._place < len(self._text):
                if not self._text[self._place].isspace():
                    return self._text[self._place]
                self._place += 1
            if not self._more():
                return ""

    def take(self) -> str:
        letter = self.next()
        self._place += bool(letter)
        return letter

    def value(self) -> Any:
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
            except RecursionError as error:
                raise ValueError("an entry is nested too deeply") from error
            except ValueError:
                if not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._place = end
            return value

    def _more(self) -> bool:
        """Read on; what was taken is forgotten."""
        chunk = self._file.read(CHUNK)
        self._text, self._place = self._text[self._place :] + chunk, 0
        if len(self._text) > MAX_ENTRY:
            raise ValueError(f"an entry has more than {MAX_ENTRY} characters")
        return bool(chunk)
