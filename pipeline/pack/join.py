"""The rows of a shard's tables joined by uid: large columns as the pages that hold them, the others as Arrow values."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pyarrow as pa

from pipeline.pack.pages import Page, PageReader, unpacked_bytes
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.schema import TABLES, TRIPLET_TABLES, is_large
from pipeline.store.shard_reader import TableReader


@dataclass(frozen=True)
class Joined:
    """One triplet. Each of its columns is either in `values` or, encoded already, in `pages`."""

    values: pa.Table  # of length 1
    pages: dict[str, Page]  # by leaf: means.list.element

    @property
    def nbytes(self) -> int:
        """Its size, uncompressed."""
        values: int = self.values.nbytes
        return values + unpacked_bytes(self.pages.values())


def joined_rows(corpus: CorpusStore, shard: int, uids: Sequence[str], decoded: frozenset[str]) -> Iterator[Joined]:
    """The triplets of `uids`, all of one shard, in that order; large columns are read by row groups.

    Args:
        decoded: large columns that must be in `values`. Others are in `pages`, unless the shard is one of an earlier
            version, whose pages are not of one row each.
    """
    with ExitStack() as stack:
        tables = [_ShardTable(corpus, name, shard, decoded, stack) for name in TRIPLET_TABLES]
        small = _side_by_side([table.small(uids) for table in tables])
        for row, uid in enumerate(uids):
            values = [small.slice(row, 1), *(table.large(uid) for table in tables)]
            pages = {leaf: page for table in tables for leaf, page in table.pages(uid).items()}
            yield Joined(_side_by_side(values), pages)


class _ShardTable:
    """One table of a shard: its small columns, and the large ones, some of which are decoded."""

    def __init__(self, corpus: CorpusStore, name: str, shard: int, decoded: frozenset[str], stack: ExitStack):
        path = corpus.shard_path(name, shard)
        large = [field for field in TABLES[name] if is_large(field)]
        self._small = pa.schema([field for field in TABLES[name] if field not in large])
        # uid is read with every table, but packed once
        self._packed = [column for column in self._small.names if column != "uid" or name == TRIPLET_TABLES[0]]
        self._rows = stack.enter_context(closing(TableReader(corpus, path, [field.name for field in large])))
        copyable = PageReader.copyable(self._rows.metadata)
        copied = set(self._rows.schema.names) - decoded if copyable else frozenset()
        self._copied = [field.name for field in large if field.name in copied]
        self._decoded = pa.schema([field for field in large if field.name not in self._copied])
        self._rows.select(self._decoded.names)
        self._pages = PageReader(corpus, path, self._rows.metadata, self._copied)

    def small(self, uids: Sequence[str]) -> pa.Table:
        table = self._rows.columns(self._small.names)
        place = {uid: i for i, uid in enumerate(table.column("uid").to_pylist())}
        return table.take([place[uid] for uid in uids]).select(self._small.names).cast(self._small).select(self._packed)

    def large(self, uid: str) -> pa.Table:
        """The large columns that are not copied; no column at all if that is none."""
        if not self._decoded.names:
            return pa.table({})
        row = self._rows.table(uid).take([0])  # a copy: a slice would keep its whole row group alive
        return row.select(self._decoded.names).cast(self._decoded)

    def pages(self, uid: str) -> dict[str, Page]:
        return self._pages.row(*self._rows.place(uid)) if self._copied else {}


def _side_by_side(tables: Sequence[pa.Table]) -> pa.Table:
    """The columns of tables of one length."""
    fields = [field for table in tables for field in table.schema]
    return pa.Table.from_arrays([column for table in tables for column in table.columns], schema=pa.schema(fields))
