"""One table of what others know, ready to be joined: its rows in a file of Arrow's, its keys as sorted hashes."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.assets.config import AssetsConfig
from pipeline.assets.tables.named_tables import NamedTable
from pipeline.assets.tables.sql import quoted
from pipeline.assets.tables.table_files import read_file
from pipeline.assets.tables.table_keys import hash_of, is_key
from pipeline.base.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 65_536
MAX_COLUMNS = 500
MISSING = -1  # instead of the number of a row
_TEXTS = ("DATE", "TIME", "UUID", "ENUM", "INTERVAL", "BIT")  # types that JSON has as text


class KeyedTable:
    """A table in memory-mapped files, found by the hashes of keys.

    Two keys of one hash are not told apart: among a million keys and ten million objects there is one such pair in a
    million runs.
    """

    def __init__(self, connection: "DuckDBPyConnection", named: NamedTable, folder: Path, config: AssetsConfig):
        """Read the table.

        Args:
            folder: empty, for its files.
            config: limits and credentials of downloads.

        Raises:
            ConfigError: it cannot be read, has no column of keys, or nothing beside them.
        """
        self.named = named
        self._read_files(connection, folder, config)
        columns = dict(zip(*_described(connection, "rows"), strict=True))
        keys = [name for name in columns if is_key(name)]
        self.json_columns: list[str] = []
        chosen = self._chosen(connection, {name: kind for name, kind in columns.items() if name not in keys})
        self.columns = list(chosen)
        self._rows = self._store(connection, chosen, folder / "rows.arrow")
        self._index(connection, keys)
        connection.execute("DROP TABLE rows")

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The numbers [n] int64 of the rows that have these keys, given by `hash_of` [n] uint64; MISSING: none has."""
        if not len(self._hashes):
            return np.full(len(hashes), MISSING)
        place = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[place] == hashes, self._row_of[place], MISSING)

    def take(self, rows: np.ndarray) -> pa.Table:
        """The rows [n] of these numbers, null where the number is MISSING."""
        wanted, place = np.unique(rows[rows != MISSING], return_inverse=True)
        batches = self._rows.to_batches()
        ends = np.cumsum([batch.num_rows for batch in batches], dtype=np.int64)
        parts, start = [], 0
        for batch, end in zip(batches, ends, strict=True):
            inside = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)]
            parts.append(batch.take(pa.array(inside - start)))
            start = int(end)
        found = pa.Table.from_batches(parts, self._rows.schema).combine_chunks()
        index = np.full(len(rows), MISSING)
        index[rows != MISSING] = place
        return found.take(pa.array(index, mask=index == MISSING))

    def _read_files(self, connection: "DuckDBPyConnection", folder: Path, config: AssetsConfig) -> None:
        """Make the table `rows` of all its files, one after the other."""
        for number, address in enumerate(self.named.addresses):
            below = folder / str(number)
            below.mkdir()
            read_file(connection, address, self.named.known, below, config)
            if number:
                parts = " UNION ALL BY NAME ".join(
                    f'SELECT *, {part} AS " part", rowid AS " row" FROM {table}'
                    for part, table in enumerate(("rows", "file"))
                )
                united = f'SELECT * EXCLUDE (" part", " row") FROM ({parts}) ORDER BY " part", " row"'
                connection.execute(f"CREATE TABLE united AS {united}")
                connection.execute("DROP TABLE rows; DROP TABLE file; ALTER TABLE united RENAME TO rows")
            else:
                connection.execute("ALTER TABLE file RENAME TO rows")

    def _chosen(self, connection: "DuckDBPyConnection", columns: dict[str, Any]) -> dict[str, str]:
        """Column -> the SQL of its values: no NaN, flags as booleans, what JSON does not know as text."""
        known, shown = self.named.known, self.named.shown
        if known and known.columns:
            columns = {name: kind for name, kind in columns.items() if name.casefold() in known.columns}
        binary = [name for name, kind in columns.items() if "BLOB" in str(kind)]
        if binary:
            logger.warning("assets.annotations: %s: binary columns are left out: %s", shown, ", ".join(binary))
        columns = {name: kind for name, kind in columns.items() if name not in binary}
        if not columns or len(columns) > MAX_COLUMNS:
            wanted = ", ".join(known.columns) if known and known.columns else f"1 to {MAX_COLUMNS}"
            raise ConfigError(f"assets.annotations: {shown}: {len(columns)} columns beside the key; wanted: {wanted}")
        texts = [name for name, kind in columns.items() if str(kind) == "VARCHAR"]
        flags = _flags(connection, texts)
        chosen = {}
        for name, kind in columns.items():
            value = quoted(name)
            if name in flags:
                value = f"CAST(lower(trim({value})) AS BOOLEAN)"
            elif known and name.casefold() in known.json_lists and name in texts:
                value = f"CASE WHEN json_valid({value}) THEN from_json({value}, '[\"VARCHAR\"]') END"
            elif "JSON" in str(kind):  # values of several kinds
                value = f"CAST(to_json({value}) AS VARCHAR)"
                self.json_columns.append(name)
            else:
                value = _plain(value, kind)
            chosen[name] = value
        return chosen

    def _store(self, connection: "DuckDBPyConnection", chosen: dict[str, str], file: Path) -> pa.Table:
        """The rows as a memory-mapped table, in batches."""
        self.rows = connection.execute("SELECT count(*) FROM rows").fetchall()[0][0]
        values = ", ".join(f"{value} AS {quoted(name)}" for name, value in chosen.items())
        writer = None
        for start in range(0, max(self.rows, 1), ROWS_AT_ONCE):
            inside = f"rowid >= {start} AND rowid < {start + ROWS_AT_ONCE}"
            part = pa.table(connection.sql(f"SELECT {values} FROM rows WHERE {inside} ORDER BY rowid")).combine_chunks()
            writer = writer or pa.ipc.new_file(file, part.schema)
            writer.write_table(part)
        if writer:
            writer.close()
        return pa.ipc.open_file(pa.memory_map(str(file))).read_all()

    def _index(self, connection: "DuckDBPyConnection", keys: list[str]) -> None:
        """Sort the keys of all key columns; of several rows with one key the first counts."""
        union = " UNION ALL ".join(
            f"SELECT {hash_of(f'CAST({quoted(name)} AS VARCHAR)')} AS key, rowid AS place FROM rows "
            f"WHERE trim(coalesce(CAST({quoted(name)} AS VARCHAR), '')) <> ''"
            for name in keys
        )
        found = pa.table(connection.sql(union))
        hashes, places = (found.column(name).to_numpy() for name in ("key", "place"))
        order = np.lexsort((places, hashes))
        hashes, places = hashes[order], places[order]
        first = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
        again = ~first
        again[1:] &= places[1:] != places[:-1]
        if again.any():
            logger.warning(
                "assets.annotations: %s: %d rows have a key that a row before them has; the first counts",
                self.named.shown,
                len(np.unique(places[again])),
            )
        self._hashes, self._row_of = hashes[first], places[first]

    @property
    def keys(self) -> int:
        """Keys that differ."""
        return len(self._hashes)


def _described(connection: "DuckDBPyConnection", table: str) -> tuple[list[str], list[Any]]:
    relation = connection.table(table)
    return relation.columns, relation.types


def _flags(connection: "DuckDBPyConnection", texts: list[str]) -> set[str]:
    """Those columns of texts that hold `true` and `false` alone."""
    if not texts:
        return set()
    tests = (f"bool_and(lower(trim({quoted(name)})) IN ('true', 'false'))" for name in texts)
    answers = connection.execute(f"SELECT {', '.join(tests)} FROM rows").fetchall()[0]
    return {name for name, all_are in zip(texts, answers, strict=True) if all_are}


def _plain(value: str, kind: Any) -> str:
    """The SQL of a value of a DuckDB type."""
    if kind.id == "double":
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    if kind.id == "float":  # 5.4 is not 5.400000095367432
        return f"CASE WHEN isfinite({value}) THEN CAST(CAST({value} AS VARCHAR) AS DOUBLE) END"
    if kind.id in ("decimal", "hugeint", "uhugeint"):
        return f"CAST({value} AS DOUBLE)"
    if kind.id == "list" and any(name in str(kind) for name in ("FLOAT", "DOUBLE")):
        return f"list_transform({value}, lambda item: {_plain('item', dict(kind.children)['child'])})"
    if kind.id == "struct" and any(name in str(kind) for name in ("FLOAT", "DOUBLE")):
        fields = ", ".join(f"{quoted(n)} := {_plain(f'{value}.{quoted(n)}', child)}" for n, child in kind.children)
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({fields}) END"
    if str(kind).startswith(_TEXTS):
        return f"CAST({value} AS VARCHAR)"
    return value
