"""The annotations of Objaverse-XL: a Parquet table for each part of the dataset."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.sources import Unplanned
from pipeline.base.errors import ConfigError

logger = logging.getLogger(__name__)

COLUMNS = ("fileIdentifier", "license", "fileType", "sha256")
BATCH_ROWS = 4096
MAX_NOTED = 10_000  # entries that are named, for each reason; more are counted
MAX_ENTRY = 2000  # characters
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Entry(NamedTuple):
    """One object of the dataset; empty where nothing is known."""

    address: str
    license: str
    file_type: str
    sha256: str  # 64 hex digits, in small letters


class Faults:
    """Entries of which no row can be made: the first are noted one by one, the rest of millions as a number."""

    def __init__(self, unplanned: Unplanned):
        self._unplanned = unplanned
        self._counts: Counter[str] = Counter()
        self.unchecked = 0  # entries that are planned without a SHA-256

    def note(self, address: str, reason: str) -> None:
        self._counts[reason] += 1
        if self._counts[reason] <= MAX_NOTED:
            self._unplanned.note(address[:MAX_ENTRY], reason)

    def conclude(self) -> None:
        for reason, count in self._counts.items():
            if count > MAX_NOTED:
                self._unplanned.note_more(count - MAX_NOTED, reason)
        if self.unchecked:
            logger.warning(
                "Objaverse-XL: %d entries have no SHA-256, so their files are taken as they are today", self.unchecked
            )


def read_entries(file: Path, faults: Faults) -> Iterator[Entry]:
    """The entries of a part's table in its order, except those that cannot be planned for what they are.

    Raises:
        ConfigError: the table is damaged.
    """
    with pq.ParquetFile(file) as parquet:
        for batch in _batches(parquet, file):
            columns = (_texts(batch.column(name)) for name in COLUMNS)
            for address, license_, file_type, sha256 in zip(*columns, strict=True):
                sha256 = sha256.strip().lower()
                if not address:
                    faults.note("(none)", "it has no fileIdentifier")
                elif sha256 and not _SHA256.fullmatch(sha256):
                    faults.note(address, "its sha256 is not 64 hex digits")
                else:
                    faults.unchecked += not sha256
                    yield Entry(address, license_, file_type, sha256)


def _batches(parquet: pq.ParquetFile, file: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from parquet.iter_batches(BATCH_ROWS, columns=list(COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"assets.cache: {file} is damaged ({' '.join(str(error).split())[:200]}): remove it, and run the same "
            "command again"
        ) from error


def _texts(column: pa.Array) -> list[str]:
    try:
        return [value or "" for value in column.to_pylist()]
    except UnicodeDecodeError:
        values = column.cast(pa.binary()).to_pylist()
        return [(value or b"").decode("utf-8", "replace") for value in values]


def check_table(file: Path) -> None:
    """Refuse what is not a table of the dataset.

    Raises:
        ValueError: in one line.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"it is not a Parquet file: {' '.join(str(error).split())[:200]}") from error
    for name in COLUMNS:
        if name not in schema.names:
            raise ValueError(f"it has no column {name}, only {', '.join(schema.names)}")
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
            raise ValueError(f"its column {name} is no text, but {kind}")
