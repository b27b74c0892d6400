"""JSON objects whose names are keys of objects, `{uid: value}`, as rows: one JSON object a line."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

CHUNK = 1 << 20  # characters
MAX_MEMBER = 16_000_000  # characters of one value
_FIRST_NAME = re.compile(r'\s*\{\s*"((?:[^"\\]|\\.)*)"')
_SPACE = re.compile(r"\s*")


def first_name(file: Path) -> str | None:
    """The first name of the object that a JSON file begins with; None if it begins with anything else."""
    with file.open(encoding="utf-8-sig", errors="replace") as text:
        start = _FIRST_NAME.match(text.read(CHUNK))
    return start[1] if start else None


def write_lines(file: Path, lines: Path, value_column: str, *, by_value: bool, is_key: Callable[[str], bool]) -> None:
    """Rewrite the one JSON object in `file` as lines of `{"uid": name, column: value, …}`.

    Args:
        value_column: the column of values that are no objects themselves.
        by_value: the file is `{value: [keys]}`; of several values of a key the first by name counts.
        is_key: columns of the values that are left out, since the name is the key.

    Raises:
        ValueError: it is no such object, or holds a value that is too long.
    """
    with file.open(encoding="utf-8-sig", errors="replace") as source, lines.open("wb") as target:
        members: Iterable[tuple[str, Any]] = _members(source)
        if by_value:
            members = _turned_round(members)
        for key, value in members:
            fields = value if isinstance(value, dict) else {value_column: value}
            row = {"uid": key} | {name: item for name, item in fields.items() if not is_key(name)}
            target.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _turned_round(members: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    """(key, value) of `{value: [keys]}`, by value."""
    for value, keys in sorted(members, key=lambda member: member[0]):
        if not isinstance(keys, list):
            raise ValueError(f"{value[:80]!r} has no list of keys")
        for key in keys:
            yield key, value


def _members(file: TextIO) -> Iterator[tuple[str, Any]]:
    """The names and values of an object, holding no more than one of them and a chunk of the file."""
    decoder = json.JSONDecoder(parse_constant=lambda _: None)  # NaN is not known
    text, place = file.read(CHUNK).lstrip().removeprefix("{"), 0
    while True:
        try:
            member, place = _member(decoder, text, place)
        except ValueError:
            more = file.read(max(CHUNK, len(text) - place))
            if not more or len(text) - place > MAX_MEMBER:
                raise
            text, place = text[place:] + more, 0
            continue
        if member is None:
            return
        yield member


def _member(decoder: json.JSONDecoder, text: str, place: int) -> tuple[tuple[str, Any] | None, int]:
    """The member at `place` and where the next begins; None: the object ends.

    Raises:
        ValueError: it is no member, or not all of it is there.
    """
    place = _after_space(text, place)
    if text[place : place + 1] == "}":
        return None, place
    name, place = decoder.raw_decode(text, place)
    place = _after_space(text, place)
    if not isinstance(name, str) or text[place : place + 1] != ":":
        raise ValueError("the JSON object is cut short or damaged")
    value, place = decoder.raw_decode(text, _after_space(text, place + 1))
    place = _after_space(text, place)
    if text[place : place + 1] not in (",", "}"):  # a number may go on
        raise ValueError("the JSON object is cut short or damaged")
    return (name, value), place + (text[place] == ",")


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place
