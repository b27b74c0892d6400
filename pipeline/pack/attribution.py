"""ATTRIBUTION.csv: whom to credit for every packed object, and under which licence it may be used."""

import csv
import itertools
from collections.abc import Iterable
from pathlib import Path

from pipeline.base.plain_text import plain_line
from pipeline.pack.survey import PackedObject
from pipeline.store.corpus_store import CorpusStore

FORMULA = ("=", "+", "-", "@")
COLUMNS = ("uid", "name", "creator", "license", "source", "origin_uri")


def write_attribution(corpus: CorpusStore, objects: Iterable[PackedObject], path: Path) -> None:
    """One line per packed object, in the order of the corpus."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for shard, group in itertools.groupby(objects, key=lambda item: item.shard):
            rows = {row["uid"]: row for row in corpus.read_rows("assets", shard, columns=list(COLUMNS))}
            writer.writerows([_cell(rows[item.uid][column]) for column in COLUMNS] for item in group)


def _cell(text: str | None) -> str:
    """What a spreadsheet shows as text: it would take a stranger's `=HYPERLINK(…)` for a formula."""
    plain = plain_line(text or "")
    return f"'{plain}" if plain.startswith(FORMULA) else plain
