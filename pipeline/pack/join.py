"""The rows of a shard's tables joined by uid, with one row group of each table in memory."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing

import pyarrow as pa

from pipeline.corpus import Corpus
from pipeline.schema import TABLES, TRIPLET_TABLES, triplets_schema
from pipeline.shard_reader import TableReader


def joined_rows(corpus: Corpus, shard: int, uids: Iterable[str]) -> Iterator[pa.Table]:
    """The triplets of `uids`, all of one shard, in that order: tables of length 1 in the schema of the triplets."""
    schema = triplets_schema()
    with ExitStack() as stack:
        tables = {
            name: stack.enter_context(closing(TableReader(corpus, corpus.shard_path(name, shard), TABLES[name].names)))
            for name in TRIPLET_TABLES
        }
        for uid in uids:
            columns = {}
            for name, table in tables.items():
                row = table.table(uid).take([0])  # a copy: a slice would keep its whole row group alive
                columns |= {column: row.column(column) for column in TABLES[name].names}
            yield pa.Table.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)
