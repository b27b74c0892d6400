"""Reading the rows of a shard a few at a time: never more than one row group of each table is in memory."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row, rows_from_table, with_added


class TableReader:
    """Rows of one Parquet file by uid. Rows that are asked for in the file's order cost one read of each row group.

    It decodes in the caller's thread: other CPUs have workers of their own, and small columns take longer to hand over.
    """

    def __init__(self, corpus: CorpusStore, path: str, columns: Sequence[str] | None = None):
        self.path = path
        self._stack = ExitStack()
        self._parquet = self._stack.enter_context(corpus.parquet(path))
        self._columns = None if columns is None else list(dict.fromkeys(["uid", *columns]))
        self._places: dict[str, tuple[int, int]] = {}  # uid -> row group, row
        self._row_bytes: dict[int, int] = {}  # of one row, by row group
        self._group = -1
        self._table: pa.Table | None = None
        uids = iter(self._parquet.read(["uid"], use_threads=False).column(0).to_pylist())
        for group in range(self._parquet.num_row_groups):
            for i in range(self.metadata.row_group(group).num_rows):
                uid = next(uids)
                if uid in self._places:
                    raise ValueError(f"{path}: two rows for object {uid}")
                self._places[uid] = (group, i)

    @property
    def metadata(self) -> pq.FileMetaData:
        """The footer of the file."""
        return self._parquet.metadata

    def select(self, columns: Sequence[str]) -> None:
        """Read these columns alone from now on."""
        self._columns = list(dict.fromkeys(["uid", *columns]))
        self._group = -1

    @property
    def schema(self) -> pa.Schema:
        """The schema of the file."""
        return self._parquet.schema_arrow

    @property
    def uids(self) -> list[str]:
        """The file's objects, in its order."""
        return list(self._places)

    def __contains__(self, uid: str) -> bool:
        return uid in self._places

    def place(self, uid: str) -> tuple[int, int]:
        """An object's row group, and its row in it."""
        return self._places[uid]

    def stored_bytes(self, uid: str) -> int:
        """About how many bytes a row takes in the file: its share of its row group."""
        place = self._places[uid][0]
        if place not in self._row_bytes:
            group = self.metadata.row_group(place)
            size = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
            self._row_bytes[place] = size // group.num_rows
        return self._row_bytes[place]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some (small) columns of every row."""
        others = [name for name in names if name != "uid"]  # which is known
        table = with_added(self._parquet.read(columns=others, use_threads=False), others)
        return table.append_column("uid", pa.array(self.uids, pa.string())) if "uid" in names else table

    def table(self, uid: str) -> pa.Table:
        """One object's row.

        Raises:
            KeyError: the file has no such object.
        """
        group, row = self._places[uid]
        if self._table is None or group != self._group:
            table = self._parquet.read_row_group(group, self._columns, use_threads=False)
            self._table = with_added(table, self._columns or [])
            self._group = group
        return self._table.slice(row, 1)

    def close(self) -> None:
        self._stack.close()


class ShardReader:
    """The rows that a stage reads in one shard: its tables, joined by uid. A context manager."""

    def __init__(self, corpus: CorpusStore, shard: int, reads: Mapping[str, Sequence[str]]):
        """
        Args:
            reads: the columns, by table.
        """
        self._stack = ExitStack()
        self._tables: list[TableReader] = []
        self._index: dict[str, Row] = {}
        for table, columns in reads.items():
            if table == "index":
                rows = corpus.read_index(list(dict.fromkeys(["uid", *columns])), shard)
                self._index = {row["uid"]: row for row in rows}
            else:
                reader = TableReader(corpus, corpus.shard_path(table, shard), columns)
                self._stack.callback(reader.close)
                self._tables.append(reader)

    def rows(self, uids: Sequence[str]) -> list[Row]:
        """The joined rows of `uids`; the arrays are the caller's to change.

        Raises:
            ConfigError: a table is damaged.
        """
        rows = []
        for uid in uids:
            row = dict(self._index.get(uid, {}))
            for table in self._tables:
                try:
                    found = table.table(uid)
                except (OSError, pa.ArrowException) as error:
                    raise ConfigError(
                        f"{table.path} cannot be read ({error}): if it is damaged, --repair removes it"
                    ) from error
                row |= rows_from_table(found)[0]
            rows.append(row)
        return rows

    def __enter__(self) -> "ShardReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
