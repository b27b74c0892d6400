"""JSON that tells about objects: files beside them, in our form or Sketchfab's, and entries of data sets' tables."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.store.schema import SPLITS

logger = logging.getLogger(__name__)

MAX_BYTES = 10_000_000  # of a file about one object
MAX_TEXT = 10_000  # characters of one value
MAX_TAGS = 1000
# What a value may be called: our own name first, then Sketchfab's, and what data sets make of that
KEYS = {
    "uid": ("uid", "id"),
    "name": ("name", "title"),
    "tags": ("tags",),
    "category": ("category", "categories"),
    "lvis_category": ("lvis_category",),
    "license": ("license", "licence"),
    "creator": ("creator", "author", "user"),
    "split": ("split",),
}
TEXT_OF = ("name", "slug", "label", "displayName", "username")  # where a value is an object, what of it is meant


@dataclass(frozen=True)
class Told:
    """What is told of an object; empty where nothing is."""

    uid: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    category: str = ""
    lvis_category: str = ""
    license: str = ""
    creator: str = ""
    split: str = ""

    def over(self, other: "Told") -> "Told":
        """What this one tells, and else the other."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(other, **{name: value for name, value in own.items() if value})


def told_by(entry: dict[Any, Any]) -> tuple[Told, set[str]]:
    """What a JSON object tells, and those of its keys that were not understood."""
    told: dict[str, Any] = {}
    unknown = {str(key) for key in entry}
    for field, keys in KEYS.items():
        for key in keys:
            value = _tags(entry.get(key)) if field == "tags" else _text(entry.get(key))
            if value is None or (field == "split" and value not in ("", *SPLITS)):
                continue
            unknown.discard(key)
            told[field] = told.get(field) or value
    return Told(**told), unknown


class Sidecars:
    """Reads files about one object each; those of an unknown form are counted and told of once."""

    def __init__(self) -> None:
        self._odd: Counter[str] = Counter()  # unknown keys, or what else is wrong
        self._files = 0
        self._first: Path | None = None

    def read(self, candidates: Iterable[Path]) -> Told:
        """What the first of these files that is there tells; nothing where none is."""
        file = next((file for file in candidates if file.is_file()), None)
        if file is None:
            return Told()
        try:
            entry = json.loads(file.read_bytes() if file.stat().st_size <= MAX_BYTES else b"")
        except (OSError, ValueError, RecursionError):
            entry = None
        told, odd = told_by(entry) if isinstance(entry, dict) else (Told(), {"no JSON object"})
        if odd:
            self._files += 1
            self._first = self._first or file
            self._odd.update(odd)
        return told

    def warn(self) -> None:
        if self._files:
            keys = ", ".join(repr(key[:50]) for key, _ in self._odd.most_common(5))
            logger.warning(
                "%d files about assets say what is not known here (%s), the first is %s; known are: %s",
                self._files,
                keys + (", …" if len(self._odd) > 5 else ""),
                self._first,
                ", ".join(KEYS),
            )


def _text(value: Any) -> str | None:
    """A value as one line; None if it is no text."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = next((value[key] for key in TEXT_OF if value.get(key)), None)
    return " ".join(value[:MAX_TEXT].split()) if isinstance(value, str) else None


def _tags(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return None
    texts = [_text(entry) for entry in value[:MAX_TAGS]]
    return None if None in texts else tuple(text for text in texts if text)
