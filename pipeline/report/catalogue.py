"""The index of the gallery: what the browser searches, filters and sorts, column by column.

It is a script and not a JSON file, because a page that was opened from disk may load scripts but not fetch files.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.sprites import COLUMNS, ROWS
from pipeline.store.rows import Row

FACETS = ("split", "category", "license", "engine", "render")  # columns to filter by, of few values each


@dataclass(frozen=True)
class Entry:
    """One object in the gallery."""

    uid: str
    name: str
    caption: str
    words: str  # more to search through: tags, creator, …
    psnr: float
    facets: tuple[str, ...]  # in the order of `FACETS`
    strip: bytes  # its thumbnails, a PNG


def entry_from_row(row: Row, strip: bytes, bad_render: str) -> Entry:
    """The entry of one object, from its joined row."""
    tags = ", ".join(row["tags"])
    words = [tags, row["creator"], row["lvis_category"], row["source"]]
    facets = {**row, "render": bad_render or "good"}
    return Entry(
        uid=row["uid"],
        name=row["name"] or row["uid"],
        caption=row.get("caption", ""),
        words=" ".join(word for word in words if word),
        psnr=row["psnr"],
        facets=tuple(facets[name] or "" for name in FACETS),
        strip=strip,
    )


def facet(entry: Entry, name: str) -> str:
    """The entry's value of a column of `FACETS`."""
    return entry.facets[FACETS.index(name)]


def catalogue_script(entries: Sequence[Entry], total: int, scores: Mapping[str, float], has_vectors: bool) -> str:
    """The index as JavaScript.

    Args:
        entries: in the order of the sprites, the best PSNR first.
        total: objects of the corpus that could be drawn.
        scores: mean cosine of caption and views, by uid, where objects are embedded.
        has_vectors: whether vectors lie beside it, by which objects that look alike are found.
    """
    value: dict[str, Any] = {
        "total": total,
        "atlas": {"columns": COLUMNS, "rows": ROWS},
        "hasVectors": has_vectors,
        "uid": [entry.uid for entry in entries],
        "name": [entry.name for entry in entries],
        "caption": [entry.caption for entry in entries],
        "words": [entry.words for entry in entries],
        "psnr": [round(entry.psnr, 2) for entry in entries],
        "score": [round(scores[entry.uid], 3) if entry.uid in scores else None for entry in entries],
        "facets": {name: _coded([facet(entry, name) for entry in entries]) for name in FACETS},
    }
    return f"globalThis.catalogueData = {json.dumps(value, separators=(',', ':'))};\n"


def _coded(column: list[str]) -> dict[str, list[Any]]:
    """The column's values, the commonest first, and for each object the number of its value."""
    values = [value for value, _ in sorted(Counter(column).items(), key=lambda item: (-item[1], item[0]))]
    numbers = {value: number for number, value in enumerate(values)}
    return {"values": values, "codes": [numbers[value] for value in column]}
