"""The rows of a shard's tables joined by uid, with one row group of each table in memory."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from pipeline.corpus import Corpus
from pipeline.schema import TRIPLET_TABLES, triplets_schema
from pipeline.shard_table import ShardTable


def joined_rows(corpus: Corpus, shard: int, uids: Iterable[str]) -> Iterator[pa.Table]:
    """The triplets of `uids`, all of one shard, in that order: tables of length 1 in the schema of the triplets."""
    schema = triplets_schema()
    with ExitStack() as stack:
        tables = [stack.enter_context(ShardTable(corpus, name, shard)) for name in TRIPLET_TABLES]
        for uid in uids:
            columns = {}
            for table in tables:
                row = table.row(uid)
                columns |= {field.name: row.column(field.name) for field in table.schema}
            yield pa.Table.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)
