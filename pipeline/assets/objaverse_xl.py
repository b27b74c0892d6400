"""Objaverse-XL (Deitke et al., NeurIPS 2023, arXiv 2307.05663): objects of GitHub, Sketchfab and the Smithsonian.

The dataset names addresses and checksums alone; the files lie where their makers put them. One that is gone, or is
another one by now, is a failure of its own class, `Missing` or `Modified`.
"""

import hashlib
import json
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.addresses import check_address
from pipeline.assets.bundle import sha256_of
from pipeline.assets.checks import CHECKS
from pipeline.assets.config import AssetsConfig
from pipeline.assets.hub import HubDataset
from pipeline.assets.objaverse_files import ObjaverseFiles
from pipeline.assets.remote import RemoteSource
from pipeline.assets.sources import Fetched
from pipeline.base.errors import ConfigError, Missing, Modified
from pipeline.store.rows import Row
from pipeline.values.licences import spdx

logger = logging.getLogger(__name__)

REPOSITORY = "datasets/allenai/objaverse-xl"
REVISION = "93fa0ca5a3067268290c673497bf974cebc83fa6"
MAX_FILE_BYTES = 2_000_000_000  # of annotations; GitHub's take 0.8 GB
PARTS = {
    "github": "github/github.parquet",
    "github-alignment": "github/alignment.parquet",
    "sketchfab": "sketchfab/sketchfab.parquet",
    "sketchfab-alignment": "sketchfab/alignment.parquet",
    "smithsonian": "smithsonian/smithsonian.parquet",
}
COLUMNS = ("fileIdentifier", "license", "fileType", "sha256")
BATCH_ROWS = 4096
_GITHUB = re.compile(r"https://github\.com/([^/]+)/([^/]+)/blob/([0-9a-f]{40})/(.+)")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class ObjaverseXLSource(RemoteSource):
    """The parts of the dataset that `assets.path` names, joined by commas (see `PARTS`); empty: the first of each kind.

    Sketchfab's are the files of Objaverse 1.0, with their checksums.
    """

    def __init__(self, config: AssetsConfig):
        super().__init__(config)
        self.dataset = HubDataset(config, self.downloader, REPOSITORY, REVISION, MAX_FILE_BYTES)
        self.objaverse = ObjaverseFiles(config, self.downloader)

    def plan(self) -> Iterator[Row]:
        parts = [part.strip() for part in (self.config.path or "github,sketchfab,smithsonian").split(",")]
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise ConfigError(f"assets.path: Objaverse-XL has no part '{unknown[0]}'; there are: {', '.join(PARTS)}")
        self.dataset.remove_leftovers()
        unread: Counter[str] = Counter()
        for part in parts:
            yield from self._plan_sketchfab(part) if part.startswith("sketchfab") else self._plan_web(part, unread)
        if unread:
            kinds = ", ".join(f"{count} {kind}" for kind, count in unread.most_common())
            logger.warning("Objaverse-XL: left out, as their formats are not supported: %s", kinds)

    def fetch(self, row: Row, folder: Path) -> Fetched:
        details = json.loads(row["details"])
        if "folder" not in details:
            return self._fetch_web(row, details["format"], folder)
        if not details["folder"]:
            raise Missing(f"{row['origin_uri']}: Objaverse 1.0, which keeps Sketchfab's files, does not have it")
        max_bytes = self.config.max_bytes
        taken = self.objaverse.copy.take(details["folder"], row["uid"], row["sha256"], folder, max_bytes)
        if taken:
            return taken
        url = self.objaverse.url(f"glbs/{details['folder']}/{row['uid']}.glb")
        return self.fetch_file(url, "glb", row["sha256"], folder)

    def close(self) -> None:
        self.objaverse.copy.close()

    def _fetch_web(self, row: Row, file_format: str, folder: Path) -> Fetched:
        found = _GITHUB.fullmatch(row["origin_uri"])
        if not found:
            check_address(row["origin_uri"])
            return self.fetch_file(row["origin_uri"], file_format, row["sha256"], folder)
        place = "/".join(quote(unquote(part)) for part in found.groups())
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as scratch:
            file = Path(scratch, f"asset.{file_format}")
            self.downloader.fetch(f"{self.config.github.rstrip('/')}/{place}", file, self.config.max_bytes)
            with file.open("rb") as content:
                is_pointer = content.read(len(_LFS_POINTER)) == _LFS_POINTER
            if is_pointer:  # Git's Large File Storage has the file itself
                address = f"{self.config.github_lfs.rstrip('/')}/{place}"
                self.downloader.fetch(address, file, self.config.max_bytes)
            if row["sha256"] and sha256_of(file) != row["sha256"]:
                raise Modified(f"{row['origin_uri']}: its SHA-256 is {sha256_of(file)}, not {row['sha256']}")
            return self.take_file(file, row["origin_uri"], file_format, folder)

    def _plan_sketchfab(self, part: str) -> Iterator[Row]:
        folders = {uid: folder for folder, uids in self.objaverse.uids_by_folder().items() for uid in uids}
        lvis = self.objaverse.lvis_categories()
        for address, license_, _, sha256 in self._annotations(part):
            uid = address.rpartition("/")[2]
            details = json.dumps({"folder": folders.get(uid, "")})
            yield _index_row(uid, part, address, license_, sha256, details) | {
                "lvis_category": lvis.get(uid, ""),
                "split": "heldout" if uid in lvis else "",
            }

    def _plan_web(self, part: str, unread: Counter[str]) -> Iterator[Row]:
        for address, license_, kind, sha256 in self._annotations(part):
            file_format = kind.lower().lstrip(".")
            if file_format not in CHECKS:
                unread[sys.intern(file_format)] += 1
                continue
            uid = f"{part.partition('-')[0]}-{hashlib.sha256(address.encode()).hexdigest()[:24]}"
            yield _index_row(uid, part, address, license_, sha256, sys.intern(json.dumps({"format": file_format})))

    def _annotations(self, part: str) -> Iterator[tuple[str, str, str, str]]:
        """(address, licence, file type, SHA-256) of every object, batch by batch.

        Raises:
            ConfigError: they cannot be fetched or read.
        """
        self.dataset.read(PARTS[part], _check)
        with pq.ParquetFile(self.dataset.kept(PARTS[part])) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(COLUMNS)):
                columns = ([value or "" for value in batch.column(name).to_pylist()] for name in COLUMNS)
                yield from zip(*columns, strict=True)


def _check(file: Path) -> None:
    try:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"it is not a Parquet file: {' '.join(str(error).split())[:200]}") from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"it has no column {missing[0]}, only {', '.join(names)}")


def _index_row(uid: str, part: str, address: str, license_: str, sha256: str, details: str) -> Row:
    stem = unquote(address).rpartition("/")[2].rpartition(".")[0] if part.startswith("github") else ""
    return {
        "uid": uid,
        "source": "objaverse-xl",
        "origin_uri": address,
        "name": re.sub(r"[\s_-]+", " ", stem).strip(),
        "tags": [],
        "category": "",
        "lvis_category": "",
        "license": spdx(license_),
        "creator": sys.intern(address.split("/")[3]) if part.startswith("github") else "",
        "split": "",
        "sha256": sha256,
        "details": details,
    }
