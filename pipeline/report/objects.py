"""Which objects the report shows, and their rows."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.shard_files import shard_file
from pipeline.store.shard_reader import TableReader

# Tables that the pages draw from, and columns where not all are needed. Captions and embeddings may be missing.
DRAWN_TABLES = {
    "assets": None,
    "captions": None,
    "views": None,
    "gaussians": None,
    "embeddings": ("view_weights",),
}


@dataclass(frozen=True)
class Measured:
    """An object with Gaussians."""

    uid: str
    shard: int
    psnr: float
    ssim: float
    num_gaussians: int


def measured_objects(corpus: CorpusStore) -> list[Measured]:
    """Every object that was fitted, the best PSNR first."""
    found = []
    for shard in corpus.shards("gaussians"):
        with corpus.parquet(corpus.shard_path("gaussians", shard)) as file:
            rows = file.read(["uid", "psnr", "ssim", "num_gaussians"]).to_pylist()
        found += [Measured(shard=shard, **row) for row in rows]
    return sorted(found, key=lambda item: (-item.psnr, item.uid))


def spread(ranked: list[Measured], count: int) -> list[Measured]:
    """At most `count` objects, evenly over the ranking: the first, the last and the middle are always among them."""
    if len(ranked) <= count:
        return ranked
    if count < 3:
        return ranked[:count]
    middle = len(ranked) // 2
    places = {round(i * (len(ranked) - 1) / (count - 1)) for i in range(count)}
    if middle not in places:
        places.remove(min(places - {0, len(ranked) - 1}, key=lambda place: abs(place - middle)))
        places.add(middle)
    return [ranked[place] for place in sorted(places)]


def read_objects(corpus: CorpusStore, objects: Iterable[Measured]) -> Iterator[tuple[Measured, Row]]:
    """The joined rows of some objects, shard by shard, one in memory at a time."""
    by_shard: dict[int, list[Measured]] = {}
    for item in objects:
        by_shard.setdefault(item.shard, []).append(item)
    for shard, items in sorted(by_shard.items()):
        with ExitStack() as stack:
            tables = [
                stack.enter_context(closing(TableReader(corpus, corpus.shard_path(table, shard), columns)))
                for table, columns in DRAWN_TABLES.items()
                if corpus.exists(table, shard_file(shard))
            ]
            for item in items:
                row: Row = {}
                for table in tables:
                    if item.uid in table:
                        row |= rows_from_table(table.table(item.uid))[0]
                yield item, row
