"""A table of URLs: CSV or Parquet, one asset per row."""

import csv
import hashlib
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.fetch.addresses import check_address, shown
from pipeline.assets.remote import RemoteSource
from pipeline.assets.sources import Fetched
from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row
from pipeline.store.schema import SPLITS
from pipeline.values.licences import spdx

logger = logging.getLogger(__name__)

REQUIRED = "url"
TEXTS = ("name", "category", "lvis_category", "license", "creator", "split")  # taken over as they are
OPTIONAL = ("uid", "sha256", "format", "tags", *TEXTS)
MAX_SLUG = 60
Record = dict[str, Any]


class ManifestSource(RemoteSource):
    """The assets of the table `assets.path` (.csv or .parquet, on a disk or in a bucket).

    Columns: `url`, and where they are known uid, sha256, format (else the URL's ending), name, tags (a list; in a CSV
    file joined by commas), category, lvis_category, license, creator, split. Other columns are not used.
    """

    def plan(self) -> Iterator[Row]:
        try:
            yield from (_index_row(record) for record in self._records())
        except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
            raise ConfigError(f"assets.path: {self.config.path}: the table cannot be read ({error})") from error

    def fetch(self, row: Row, folder: Path) -> Fetched:
        check_address(row["origin_uri"])
        return self.fetch_file(row["origin_uri"], json.loads(row["details"])["format"], row["sha256"], folder)

    def _records(self) -> Iterator[Record]:
        path = self.config.path
        readers = {".csv": _csv_records, ".parquet": _parquet_records}
        suffix = PurePosixPath(path).suffix.lower()
        if suffix not in readers:
            raise ConfigError(f"assets.path: '{path}' is not a table; name one that ends in {' or '.join(readers)}")
        with fsspec.open(path, "rb") as file:
            names, records = readers[suffix](file)
            if REQUIRED not in names:
                raise ConfigError(f"assets.path: {path} has no column '{REQUIRED}', only {', '.join(names)}")
            unused = [name for name in names if name not in (REQUIRED, *OPTIONAL)]
            if unused:
                logger.warning("%s: unused columns: %s", path, ", ".join(unused))
            yield from records


def _csv_records(file: BinaryIO) -> tuple[list[str], Iterable[Record]]:
    reader = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), restkey="", restval="")
    return list(reader.fieldnames or ()), reader


def _parquet_records(file: BinaryIO) -> tuple[list[str], Iterable[Record]]:
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    used = [name for name in names if name in (REQUIRED, *OPTIONAL)]
    batches = parquet.iter_batches(batch_size=4096, columns=used)
    return names, (record for batch in batches for record in batch.to_pylist())


def _index_row(record: Record) -> Row:
    url = _text(record[REQUIRED])
    texts = {name: _text(record.get(name)) for name in TEXTS}
    if texts["split"] not in ("", *SPLITS):
        raise ConfigError(f"assets.path: {shown(url)}: the split '{texts['split']}' is not one of {', '.join(SPLITS)}")
    tags = record.get("tags") or []
    file_format = _text(record.get("format")) or _path(url).suffix
    return {
        "uid": _text(record.get("uid")) or _uid(url),
        "source": "manifest",
        "origin_uri": url,
        "tags": [tag.strip() for tag in (tags.split(",") if isinstance(tags, str) else tags) if tag and tag.strip()],
        "sha256": _text(record.get("sha256")).lower(),
        "details": json.dumps({"format": file_format.lower().removeprefix(".")}),
        **texts,
        "license": spdx(texts["license"]),
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _uid(url: str) -> str:
    """Readable, safe in file names, and different for different addresses: `…/Oak.glb` -> `Oak-1a2b3c4d5e6f`."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", _path(url).stem).strip("-")[:MAX_SLUG].strip("-")
    return f"{slug}-{digest}" if slug else digest


def _path(url: str) -> PurePosixPath:
    try:
        return PurePosixPath(urlsplit(url).path)
    except ValueError:  # not an address: the asset will fail, alone
        return PurePosixPath()
