"""Rows of one shard of one table by uid, with one row group in memory."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus import Corpus
from pipeline.schema import TABLES


class ShardTable:
    """One shard of one table, by uid. Neighbouring rows are read together: the last row group stays in memory."""

    def __init__(self, corpus: Corpus, table: str, shard: int):
        self.schema = TABLES[table]
        self._handle = corpus.filesystem.open(corpus.shard_path(table, shard), "rb")
        self._file = pq.ParquetFile(self._handle)
        self._places = self._find_rows()
        self._group: tuple[int, pa.Table] = (-1, pa.table({}))

    def __enter__(self) -> "ShardTable":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()
        self._handle.close()

    def __contains__(self, uid: str) -> bool:
        return uid in self._places

    @property
    def uids(self) -> list[str]:
        """In the order of the file."""
        return list(self._places)

    def stored_bytes(self, uid: str) -> int:
        """About how many bytes the row takes in the file: its share of its row group."""
        group = self._file.metadata.row_group(self._places[uid][0])
        stored = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
        return stored // group.num_rows

    def row(self, uid: str) -> pa.Table:
        """The object's row, a table of length 1.

        Raises:
            KeyError: the object is not in this shard.
        """
        number, offset = self._places[uid]
        if number != self._group[0]:
            self._group = (number, self._file.read_row_group(number, columns=self.schema.names))
        return self._group[1].take([offset])  # a copy: a slice would keep its whole row group alive

    def columns(self, names: Iterable[str]) -> pa.Table:
        """Some (small) columns of every row."""
        return self._file.read(columns=list(names))

    def _find_rows(self) -> dict[str, tuple[int, int]]:
        """uid -> (row group, row inside it)."""
        uids = self._file.read(columns=["uid"]).column("uid").to_pylist()
        counts = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        places = [(group, row) for group, count in enumerate(counts) for row in range(count)]
        return dict(zip(uids, places, strict=True))
