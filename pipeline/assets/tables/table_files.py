"""Tables of what others know as files: CSV, Parquet and JSON, on a disk or in a bucket, read into DuckDB."""

import csv
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import without_secrets
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.tables.csv_form import csv_call, with_numbers
from pipeline.assets.tables.json_members import first_name, write_lines
from pipeline.assets.tables.known_tables import KnownTable
from pipeline.assets.tables.sql import one_line, sql_text
from pipeline.assets.tables.table_keys import is_key
from pipeline.base.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
MAX_BYTES = 8_000_000_000  # of one file, unpacked
CHUNK = 1 << 20
_WEB = re.compile("https?://", re.IGNORECASE)


def read_file(
    connection: "DuckDBPyConnection", address: str, known: KnownTable | None, folder: Path, config: AssetsConfig
) -> None:
    """Make the table `file` of what lies at `address`, in its order; without a header, its keys are in `uid`.

    Args:
        folder: empty; for copies.
        config: limits and credentials of downloads.

    Raises:
        ConfigError: there is nothing, it is too large, not of the form that its ending says, or has no column of keys.
    """
    import duckdb

    stored = without_secrets(address)
    try:
        local = _local_file(address, folder, config)
        connection.execute(f"CREATE OR REPLACE TABLE file AS SELECT * FROM {_call(local, known)}")
        if FORMS[local.suffix] == "csv":
            connection.execute(f"CREATE OR REPLACE TABLE file AS {with_numbers(connection, 'file')}")
        columns = connection.table("file").columns
        if not any(map(is_key, columns)):
            raise ConfigError(
                "the table has neither of the columns uid, sha256, file_identifier, only " + ", ".join(columns)
            )
    except FileNotFoundError as error:
        raise ConfigError(f"assets.annotations: {stored}: there is no such table") from error
    except PipelineError as error:
        raise ConfigError(f"assets.annotations: {stored}: {error}") from error
    except (duckdb.Error, OSError, ValueError, csv.Error, RecursionError) as error:
        told = one_line(error).replace(f"{folder}/", "")
        if stored != address:  # a message of others may repeat the secrets
            told = type(error).__name__
        raise ConfigError(f"assets.annotations: {stored}: the table cannot be read ({told})") from error


def _local_file(address: str, folder: Path, config: AssetsConfig) -> Path:
    """The file under a plain name in `folder`: a link to it, or a copy where it lies elsewhere or is packed."""
    name = PurePosixPath(without_secrets(address)).name.lower()
    packed = name.endswith(".gz")
    ending = PurePosixPath(name.removesuffix(".gz")).suffix
    if ending not in FORMS:
        raise ConfigError(f"a table ends in {', '.join(FORMS)}, or in one of these and .gz")
    target = folder / f"table{ending}"
    if _WEB.match(address):
        fetched = folder / "fetched"
        Downloader(config).fetch(address, fetched, MAX_BYTES)
        address = str(fetched)
    try:
        filesystem, path = fsspec.core.url_to_fs(address)
        if isinstance(filesystem, LocalFileSystem) and not packed:
            if not Path(path).is_file():
                raise FileNotFoundError(path)
            target.symlink_to(Path(path).resolve())  # DuckDB would take some names for patterns
        else:
            with filesystem.open(path, "rb", compression="gzip" if packed else None) as source:
                _copy(source, target)
    except (ConfigError, OSError):
        raise
    except Exception as error:  # every protocol has its own
        raise OSError(f"{type(error).__name__}: {error}") from error
    return target


def _copy(source: Any, target: Path) -> None:
    left = MAX_BYTES
    with target.open("wb") as copy:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ConfigError(f"it has more than {MAX_BYTES:,} bytes")
            copy.write(chunk)


def _call(file: Path, known: KnownTable | None) -> str:
    """The SQL that reads a file."""
    form = FORMS[file.suffix]
    if form == "parquet":
        return f"read_parquet({sql_text(str(file))}, hive_partitioning = false)"
    if form == "csv":
        return csv_call(file)
    layout = "newline_delimited" if form == "jsonl" else "auto"
    name = first_name(file) if form == "json" else None
    if name is not None and not is_key(name):
        known = known or KnownTable("", "")
        lines = file.with_name("lines.jsonl")
        write_lines(file, lines, known.value, by_value=known.by_value, is_key=is_key)
        file, layout = lines, "newline_delimited"
    return (
        f"read_json({sql_text(str(file))}, format = {sql_text(layout)}, sample_size = -1, "
        "map_inference_threshold = -1, field_appearance_threshold = 0)"
    )
