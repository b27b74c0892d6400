"""What becomes of a source's rows before they are planned: filtered, drawn, split, sorted by uid, cut into shards."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import public
from pipeline.assets.tables.joined_tables import JoinedTables
from pipeline.base.errors import ConfigError
from pipeline.base.plain_text import plain_line
from pipeline.state.draw import drawn, hash_of
from pipeline.store.joined_table import JoinedTable
from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import INDEX
from pipeline.store.uid_order import ordered_by_uid
from pipeline.values.licences import comparable, spdx
from pipeline.values.names import is_safe_uid

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 10_000  # of the source, as Python objects
COUNTED = ("uid", "origin_uri", "split")  # what is sorted where the rows are only counted
_NAMES = ["origin_uri", "uid"]  # what an entry is called by, in this order
_SHOWN = 80  # characters of a name from outside in a message,
_KEPT = 1000  # and in a table
_LICENSES_SHOWN = 10


class Listing:
    """The objects of a corpus that is being planned. The counts are whole once all `pieces` were taken."""

    def __init__(self, config: AssetsConfig):
        from pipeline.assets.sources import make_source  # reads archives: not needed to answer --help

        self.objects = 0
        self.splits: Counter[str] = Counter()
        self.left_out_licenses: Counter[str] = Counter()  # objects that `assets.licenses` keeps out
        self.joined_tables: tuple[JoinedTable, ...] = ()  # what `assets.annotations` names
        self.left_out_where = 0  # objects for which `assets.where` is not true
        self._config = config
        self._source = make_source(config)
        self._repeated = INDEX.empty_table().select(_NAMES)  # rows whose uids came before

    @property
    def shards(self) -> int:
        return -(-self.objects // self._config.shard_size)

    @property
    def unplanned(self) -> int:
        """Entries that cannot be planned."""
        return len(self._source.unplanned) + int(self._repeated.num_rows)

    def unplanned_rows(self) -> Iterator[Row]:
        """The rows of unplanned.parquet: the source's own in its order, then those whose uid came before."""
        noted = self._source.unplanned
        for entry, reason in zip(noted.entries, noted.reasons, strict=True):
            yield _unplanned(entry, reason)
        for batch in self._repeated.sort_by([(name, "ascending") for name in _NAMES]).to_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield _unplanned(_entry(row), f"another entry has the uid {row['uid']!r}, too: the first is planned")

    def pieces(self, scratch: Path, columns: Sequence[str] = tuple(INDEX.names)) -> Iterator[pa.Table]:
        """The rows of index.parquet in its order, some columns of them; at least one.

        Args:
            scratch: folder for temporary files, made where the rows are many.

        Raises:
            ConfigError: the source or a joined table cannot be read, or there is nothing that can be planned.
        """
        with JoinedTables(self._config, scratch) as joined:
            tables: Iterator[pa.Table] = map(joined.apply, self._tables())
            if self._config.limit:
                tables = drawn(tables, self._config.limit)
            chosen = (table.select(columns) for table in tables)
            for table in ordered_by_uid(chosen, scratch, self._note_repeated):
                if table.num_rows:
                    yield self._numbered(table)
            report = joined.report()
        self.joined_tables, self.left_out_where = report.tables, report.left_out
        self._tell()

    def count(self, scratch: Path) -> None:
        """Go through all rows for the counts alone.

        Raises:
            ConfigError: as `pieces`.
        """
        for _ in self.pieces(scratch, COUNTED):
            pass

    def _tables(self) -> Iterator[pa.Table]:
        """The source's rows of allowed licences, with their splits, a few thousand at a time."""
        rows = self._safe(self._allowed(self._source.plan()))
        while part := list(islice(rows, ROWS_AT_ONCE)):
            yield table_from_rows([self._index_row(row) for row in part], INDEX)

    def _allowed(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of allowed licences; the others are counted."""
        allowed = comparable(self._config.licenses.split(","))
        for row in rows:
            if not allowed or not allowed.isdisjoint(comparable([row["license"] or ""])):
                yield row
            else:
                self.left_out_licenses[spdx(row["license"] or "")] += 1

    def _safe(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows whose uids can name a file; the others are noted."""
        for row in rows:
            if is_safe_uid(row["uid"]):
                yield row
            else:
                self._source.unplanned.note(_entry(row), f"its uid {row['uid'][:_SHOWN]!r} cannot name a file")

    def _index_row(self, row: Row) -> Row:
        """A row of the source as one of the index, whose shard is not known yet."""
        split = row["split"] or split_of(row["uid"], self._config)
        return {"annotations": ""} | row | {"shard": None, "split": split, "license": spdx(row["license"] or "")}

    def _note_repeated(self, rows: pa.Table) -> None:
        self._repeated = pa.concat_tables([self._repeated, rows.select(_NAMES)])

    def _numbered(self, table: pa.Table) -> pa.Table:
        """The next rows, with their shards; counts them."""
        numbers = np.arange(self.objects, self.objects + table.num_rows)
        self.objects += table.num_rows
        for count in pc.value_counts(table.column("split")).to_pylist():
            self.splits[count["values"]] += count["counts"]
        if "shard" not in table.column_names:
            return table
        place = table.schema.get_field_index("shard")
        shards = pa.array((numbers // self._config.shard_size).astype(np.int32))
        return table.set_column(place, INDEX.field("shard"), shards)

    def _tell(self) -> None:
        """Say what is left out.

        Raises:
            ConfigError: nothing is left.
        """
        licenses = _counts(self.left_out_licenses)
        first = next(self.unplanned_rows(), None)
        unplanned = f"{self.unplanned} entries that cannot be planned" if first else ""
        if first:
            unplanned += f" ('{first['entry'][:_SHOWN]}': {first['reason']})"
        if not self.objects:
            reasons = [f"{licenses}, which assets.licenses excludes"] if licenses else []
            reasons += [f"{self.left_out_where}, which assets.where leaves out"] if self.left_out_where else []
            reasons += [unplanned] if unplanned else []
            but = f" but {' and '.join(reasons)}" if reasons else ""
            source, path = self._config.source, self._config.path
            raise ConfigError(f"assets: source {source!r} finds no asset in assets.path {path!r}{but}")
        if licenses:
            logger.warning("assets.licenses excludes %d objects: %s", self.left_out_licenses.total(), licenses)
        if unplanned:
            logger.warning("assets: the source has %s; a corpus keeps them in unplanned.parquet", unplanned)


def split_of(uid: str, config: AssetsConfig) -> str:
    """The split that the uid's hash falls into; it depends on nothing but the uid and the fractions."""
    place = int.from_bytes(hash_of(f"split:{uid}")[:8], "big") / 2**64
    if place < config.val_fraction:
        return "val"
    return "heldout" if place < config.val_fraction + config.heldout_fraction else "train"


def _unplanned(entry: str, reason: str) -> Row:
    """A row of unplanned.parquet: an entry may be an address that carries secrets, or anything else."""
    return {"entry": plain_line(public(entry))[:_KEPT], "reason": plain_line(reason)[:_KEPT]}


def _counts(licenses: Counter[str]) -> str:
    """`3 of 'GPL-3.0-only', 1 of ''`, for a message."""
    most = licenses.most_common(_LICENSES_SHOWN)
    shown = [f"{count} of '{plain_line(name)[:_SHOWN]}'" for name, count in most]
    others = licenses.total() - sum(count for _, count in most)
    return ", ".join([*shown, f"{others} of others"] if others else shown)


def _entry(row: Row) -> str:
    """What to call a row by: its address is what people know."""
    return next((str(row[name]) for name in _NAMES if row[name]), "")
