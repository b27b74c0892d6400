"""index.parquet, read by shards. Its footer, megabytes where objects are millions, is parsed once by a process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row, rows_from_table, with_added

PLAN_AGAIN = (  # the cure where what was planned is damaged
    "restore a copy of it, or remove corpus.json and run with the --config of before: the same source is planned the "
    "same way, and finished tables are kept"
)

Opening = Callable[[pq.FileMetaData | None], AbstractContextManager[pq.ParquetFile]]


class _Block:
    """The rows of some row groups, by shard."""

    def __init__(self, groups: list[int], table: pa.Table):
        self.groups = groups
        self._table = table
        self._places: dict[int, list[tuple[int, int]]] = {}  # shard -> first row and number of rows, wherever it lies
        start = 0
        for shard, rows in groupby(table.column("shard").to_pylist()):  # to_numpy would import pandas
            count = len(list(rows))
            self._places.setdefault(shard, []).append((start, count))
            start += count

    def rows(self, shard: int) -> pa.Table:
        places = self._places.get(shard, [(0, 0)])
        return pa.concat_tables([self._table.slice(start, count) for start, count in places])


class IndexReader:
    """The rows of one version of the file, by shard.

    The row groups that were read last are kept: shards that follow each other lie in the same ones.
    """

    def __init__(self, path: str, version: str, opening: Opening):
        """
        Args:
            version: what changes with the file.
            opening: opens the file, with its footer where that is known.

        Raises:
            ConfigError: the file is damaged.
        """
        self.version = version
        self._path = path
        self._opening = opening
        self._kept: dict[tuple[str, ...] | None, _Block] = {}  # by columns
        try:
            with opening(None) as parquet:
                self._footer = parquet.metadata
            ranges = self._ranges("shard")
            self._first = np.array([shards.min for shards in ranges])  # [G] shards, by row group
            self._last = np.array([shards.max for shards in ranges])
        except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
            raise self._damaged(str(error)) from error

    def rows(self, columns: list[str] | None, shard: int | None = None) -> list[Row]:
        """The rows of a shard, or all, in the index's order.

        Raises:
            ConfigError: the file is damaged, or has no such shard.
        """
        try:
            table = self._all(columns) if shard is None else self._shard(columns, shard)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(str(error)) from error
        if shard is not None and not table.num_rows:
            raise self._damaged(f"it has no shard {shard}")
        return rows_from_table(table if columns is None else with_added(table, columns).select(columns))

    def count(self, prefix: str) -> int:
        """How many objects have uids that begin with `prefix`; reads only the row groups that may have them.

        Raises:
            ConfigError: the file is damaged.
        """
        try:
            with self._opening(self._footer) as parquet:
                ranges = self._ranges("uid")
                groups = [group for group, uids in enumerate(ranges) if uids.min[: len(prefix)] <= prefix <= uids.max]
                uids = parquet.read_row_groups(groups, ["uid"]).column("uid")
        except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
            raise self._damaged(str(error)) from error
        return int(pc.sum(pc.starts_with(uids, prefix)).as_py() or 0)

    def _all(self, columns: list[str] | None) -> pa.Table:
        with self._opening(self._footer) as parquet:
            return parquet.read(columns)

    def _shard(self, columns: list[str] | None, shard: int) -> pa.Table:
        groups = np.flatnonzero((self._first <= shard) & (shard <= self._last)).tolist()
        key = None if columns is None else tuple(columns)
        block = self._kept.get(key)
        if block is None or block.groups != groups:
            with self._opening(self._footer) as parquet:
                table = parquet.read_row_groups(groups, None if columns is None else [*columns, "shard"])
            block = self._kept[key] = _Block(groups, table)
        return block.rows(shard)

    def _ranges(self, column: str) -> list[pq.Statistics]:
        """The smallest and the largest value of each row group."""
        place = self._footer.schema.to_arrow_schema().names.index(column)
        return [self._footer.row_group(group).column(place).statistics for group in range(self._footer.num_row_groups)]

    def _damaged(self, reason: str) -> ConfigError:
        return ConfigError(f"{self._path} cannot be read ({reason}): {PLAN_AGAIN}")


_readers: dict[str, IndexReader] = {}  # of this process, by path: the last one


def index_reader(path: str, version: str, opening: Opening) -> IndexReader:
    """The reader of the file, as it is now.

    Raises:
        ConfigError: it is damaged.
    """
    reader = _readers.get(path)
    if reader is None or reader.version != version:
        reader = IndexReader(path, version, opening)
        _readers.clear()
        _readers[path] = reader
    return reader
