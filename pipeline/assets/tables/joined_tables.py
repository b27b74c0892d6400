"""What others know of the objects (`assets.annotations`), and which objects that lets in (`assets.where`)."""

import json
import logging
import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.assets.config import AssetsConfig
from pipeline.assets.tables.keyed_table import MISSING, KeyedTable
from pipeline.assets.tables.named_tables import NamedTable, named_tables
from pipeline.assets.tables.sql import one_line, quoted, sql_text
from pipeline.assets.tables.table_keys import OWN_KEYS, hash_of
from pipeline.assets.tables.where import check_where
from pipeline.base.errors import ConfigError
from pipeline.store.joined_table import JoinedTable
from pipeline.store.schema import INDEX

logger = logging.getLogger(__name__)

# An object's own columns, as `assets.where` knows them.
OWN = (
    "uid",
    "name",
    "tags",
    "category",
    "lvis_category",
    "license",
    "creator",
    "split",
    "source",
    "origin_uri",
    "sha256",
)
MAX_CHARACTERS = 100_000  # of one object's annotations
MEMORY = "1GB"  # of DuckDB's, the tables being read included
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": MEMORY,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "arrow_large_buffer_size": True,
}


@dataclass(frozen=True)
class JoinReport:
    """What came of the tables and the expression, over all rows."""

    tables: tuple[JoinedTable, ...]
    left_out: int  # objects for which `assets.where` is not true


class JoinedTables:
    """The tables that `assets.annotations` names, joined by uid, SHA-256 or file identifier. A context manager.

    Tables lie in temporary files; what is held of them in memory is 16 bytes a key.
    """

    def __init__(self, config: AssetsConfig, scratch: Path):
        """Read the tables and check the expression.

        Args:
            scratch: folder for temporary files, made where there are tables.

        Raises:
            ConfigError: DuckDB is not installed, a table is not there or has no key, or the expression is wrong.
        """
        self._where = config.where.strip()
        self._tables: list[KeyedTable] = []
        self._columns: list[list[str]] = []  # of each table, as objects have them
        self._connection: Any = None  # DuckDB's, without access to any file
        self._matched: Counter[str] = Counter()
        self._seen = self._left_out = self._shortened = 0
        self._active = bool(self._where or config.annotations.strip())
        self._folder = scratch / "tables"
        if self._active:
            try:
                self._open(config)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was copied; `report` still answers."""
        if self._connection is not None:
            self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def apply(self, rows: pa.Table) -> pa.Table:
        """Those of the rows (columns of INDEX) for which `assets.where` is true, with `annotations`: a JSON object each
        where tables are joined, `{}` if they know nothing of it.

        Raises:
            ConfigError: the expression cannot be computed for a row.
        """
        if not self._active or not rows.num_rows:
            return rows
        self._seen += rows.num_rows
        keep, texts = self._evaluate(self._join(rows))
        self._left_out += rows.num_rows - (pc.sum(keep).as_py() or 0)
        texts = self._shorten(texts.filter(keep))
        place = rows.schema.get_field_index("annotations")
        return rows.filter(keep).set_column(place, INDEX.field("annotations"), texts.cast(pa.string()))

    def report(self) -> JoinReport:
        """What came of it, once all rows have gone through; tables that match nothing are warned of."""
        for table in self._tables:
            if not self._matched[table.named.name]:
                logger.warning(
                    "assets.annotations: %s matches none of %d objects by its %d keys",
                    table.named.shown,
                    self._seen,
                    table.keys,
                )
        if self._shortened:
            logger.warning(
                "assets.annotations: %d objects have more than %d characters of annotations: the longest are left out",
                self._shortened,
                MAX_CHARACTERS,
            )
        if self._left_out:
            logger.warning("assets.where leaves out %d of %d objects", self._left_out, self._seen)
        return JoinReport(tuple(self._record(table) for table in self._tables), self._left_out)

    def _open(self, config: AssetsConfig) -> None:
        try:
            import duckdb
        except ModuleNotFoundError as error:
            raise ConfigError(
                "assets.annotations and assets.where need the Python package 'duckdb': "
                "pip install 'clip-gs-corpus[tables]'"
            ) from error
        named = named_tables(config.annotations)
        if named:
            self._read(duckdb, named, config)
        self._columns = _column_names(self._tables)
        self._connection = duckdb.connect(config=_SETTINGS | {"enable_external_access": False})
        self._connection.execute("SET lock_configuration = true")
        self._connection.register("joined", self._join(INDEX.empty_table()))
        if self._where:
            check_where(self._connection, self._where, "joined", [*OWN, *chain.from_iterable(self._columns)])

    def _read(self, duckdb: Any, named: list[NamedTable], config: AssetsConfig) -> None:
        """Read the tables, by a database on the disk."""
        self._folder.mkdir(parents=True)
        database = self._folder / "tables.duckdb"
        with duckdb.connect(database, config=_SETTINGS | {"temp_directory": str(self._folder)}) as reading:
            for number, table in enumerate(named):
                below = self._folder / str(number)
                below.mkdir()
                try:
                    self._tables.append(KeyedTable(reading, table, below, config))
                except (duckdb.Error, pa.ArrowException, OSError) as error:
                    raise ConfigError(
                        f"assets.annotations: {table.shown}: the table cannot be kept ({one_line(error)})"
                    ) from error
        database.unlink()

    def _join(self, rows: pa.Table) -> pa.Table:
        """The columns that the expression knows, those of the tables null where they do not know an object."""
        columns = {name: rows.column(name) for name in OWN}
        hashes = self._hashes(rows) if self._tables else []
        for table, names in zip(self._tables, self._columns, strict=True):
            found = np.full(rows.num_rows, MISSING)
            for key in hashes:
                found = np.where(found == MISSING, table.find(key), found)
            self._matched[table.named.name] += int((found != MISSING).sum())
            taken = table.take(found)
            columns |= {name: taken.column(own) for own, name in zip(table.columns, names, strict=True)}
        return pa.table(columns)

    def _hashes(self, rows: pa.Table) -> list[np.ndarray]:
        """[n] uint64 for each of OWN_KEYS."""
        self._connection.register("keys", rows.select(["uid", "sha256", "origin_uri"]))
        found = pa.table(self._connection.sql(f"SELECT {', '.join(map(hash_of, OWN_KEYS))} FROM keys"))
        return [column.to_numpy() for column in found.columns]

    def _evaluate(self, joined: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Whether each row is kept, and its annotations."""
        import duckdb

        keep = f"coalesce(({self._where}\n), false)" if self._where else "true"
        self._connection.register("joined", joined)
        try:
            found = pa.table(self._connection.sql(f"SELECT {keep} AS keep, {self._annotations()} AS texts FROM joined"))
        except duckdb.Error as error:
            raise ConfigError(f"assets.where: {one_line(error)}") from error
        return found.column("keep"), found.column("texts")

    def _annotations(self) -> str:
        """The SQL of a row's JSON object: names in order, what is not known left out; empty without any table."""
        values = {}
        for table, names in zip(self._tables, self._columns, strict=True):
            for own, name in zip(table.columns, names, strict=True):
                value = quoted(name)
                as_json = value if own in table.json_columns else f"CAST(to_json({value}) AS VARCHAR)"
                label = sql_text(f"{json.dumps(name, ensure_ascii=False)}:")
                values[name] = f"CASE WHEN {value} IS NOT NULL THEN {label} || {as_json} END"
        if not values:
            return "''"
        members = f"concat_ws(',', {', '.join(values[name] for name in sorted(values))})"
        return f"'{{' || {members} || '}}'"

    def _shorten(self, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        """Without the longest values where an object has too many characters."""
        long = np.flatnonzero(pc.greater(pc.utf8_length(texts), MAX_CHARACTERS).to_numpy())
        if not len(long):
            return texts
        self._shortened += len(long)
        values = texts.to_pylist()
        for place in long:
            values[place] = _shorter(values[place])
        return pa.chunked_array([pa.array(values, texts.type)])

    def _record(self, table: KeyedTable) -> JoinedTable:
        named, known = table.named, table.named.known
        names = self._columns[self._tables.index(table)]
        return JoinedTable(
            name=named.name,
            path=named.shown,
            license=known.license if known else "",
            citation=known.citation if known else "",
            columns=tuple(names),
            rows=table.rows,
            keys=table.keys,
            listed=self._seen,
            matched=self._matched[named.name],
        )


def _column_names(tables: list[KeyedTable]) -> list[list[str]]:
    """What the columns of each table are called: with the table's name before it where another has the same."""
    own = Counter(name.casefold() for name in INDEX.names)
    own.update(name.casefold() for table in tables for name in table.columns)
    taken = set(own)
    names: list[list[str]] = []
    for table in tables:
        names.append(called := [])
        for name in table.columns:
            new = name
            if own[name.casefold()] > 1:
                prefix = table.named.name.replace("-", "_")
                new = f"{prefix}_{name}"
                while new.casefold() in taken:
                    new = f"{prefix}_{new}"
                taken.add(new.casefold())
                logger.warning("assets.annotations: column %s of %s is called %s", name, table.named.name, new)
            called.append(new)
    return names


def _shorter(text: str) -> str:
    """A JSON object without its longest values, as many as must go."""
    members: dict[str, Any] = {name: _dumped(value) for name, value in json.loads(text).items()}
    size = len(text)
    for name in sorted(members, key=lambda name: (-len(members[name]), name)):
        if size <= MAX_CHARACTERS:
            break
        size -= len(members.pop(name)) + len(_dumped(name)) + 2
    return "{" + ",".join(f"{_dumped(name)}:{value}" for name, value in members.items()) + "}"


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
