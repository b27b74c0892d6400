"""Objaverse-XL (Deitke et al., NeurIPS 2023, arXiv 2307.05663): objects of GitHub, Sketchfab and the Smithsonian.

The dataset names addresses and checksums alone; the files lie where their makers put them. One that is gone, or is
another one by now, is a failure of its own class, `Missing` or `Modified`.
"""

import hashlib
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import check_address
from pipeline.assets.fetch.hub import HubDataset
from pipeline.assets.files.checks import CHECKS
from pipeline.assets.github.github_fetch import GitHubFetch
from pipeline.assets.github.github_url import GitHubFile, is_on_github
from pipeline.assets.objaverse.annotations import Annotation, described
from pipeline.assets.objaverse.dataset import ObjaverseFiles
from pipeline.assets.objaverse.xl_table import Entry, Faults, check_table, read_entries
from pipeline.assets.remote import RemoteSource
from pipeline.assets.sources import Fetched
from pipeline.assets.tables.name_lists import UID
from pipeline.assets.tables.wanted import Wanted
from pipeline.base.errors import AssetError, ConfigError, Missing
from pipeline.stages.stage import StageContext
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
MAX_FORMAT = 40  # letters of an unsupported format's name
_SEPARATORS = re.compile(r"[\s_-]+")
_DETAILS = {file_format: json.dumps({"format": file_format}) for file_format in CHECKS}
SKETCHFAB_PAGE = "https://sketchfab.com/3d-models/"


class ObjaverseXLSource(RemoteSource):
    """The parts of the dataset that `assets.path` names, joined by commas (see `PARTS`); empty: the first of each kind.

    Sketchfab's are the files of Objaverse 1.0, with the checksums that XL adds, and described by 1.0's annotations.
    """

    def __init__(self, config: AssetsConfig):
        super().__init__(config)
        self.dataset = HubDataset(config, self.downloader, REPOSITORY, REVISION, MAX_FILE_BYTES)
        self.objaverse = ObjaverseFiles(config, self.downloader)
        self.github = GitHubFetch(config, self.downloader)

    def plan(self) -> Iterator[Row]:
        parts = [part.strip() for part in (self.config.path or "github,sketchfab,smithsonian").split(",")]
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise ConfigError(f"assets.path: Objaverse-XL has no part '{unknown[0]}'; there are: {', '.join(PARTS)}")
        wanted = Wanted(self.config.objects, "assets.objects") if self.config.objects else None
        self.dataset.remove_leftovers()
        unread: Counter[str] = Counter()
        faults = Faults(self.unplanned)
        for part in parts:
            entries = self._entries(part, faults)
            if part.startswith("sketchfab"):
                yield from self._plan_sketchfab(entries, wanted, faults)
            else:
                plan_one = _github_row if part.startswith("github") else _web_row
                yield from _plan_files(entries, plan_one, wanted, faults, unread)
        faults.conclude()
        if wanted:
            wanted.conclude(f"Objaverse-XL ({', '.join(parts)})", self.unplanned)
        if unread:
            kinds = ", ".join(f"{count} {kind}" for kind, count in unread.most_common())
            logger.warning("Objaverse-XL: left out, as their formats are not supported: %s", kinds)

    def begin(self, batch: list[Row], context: StageContext) -> None:
        self.github.begin(batch, context)

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
        address = row["origin_uri"]
        if is_on_github(address):
            return self.github.fetch(address, row["sha256"], folder)
        check_address(address)
        return self.fetch_file(address, file_format, row["sha256"], folder)

    def _plan_sketchfab(self, entries: Iterator[Entry], wanted: Wanted | None, faults: Faults) -> Iterator[Row]:
        """By 1.0's folders, so that the annotations of one are held at a time; at the end those that 1.0 lacks."""
        folders = {uid: folder for folder, uids in self.objaverse.uids_by_folder().items() for uid in uids}
        lvis = self.objaverse.lvis_categories()
        by_folder: dict[str, list[_Sketchfab]] = {}
        for entry in entries:
            uid = entry.address.rpartition("/")[2]
            if not UID.fullmatch(uid):
                faults.note(entry.address, "it does not end in a uid of Sketchfab")
            elif wanted is None or wanted.has(uid, entry.sha256, entry.address):
                plain = entry.address == SKETCHFAB_PAGE + uid
                packed = _Sketchfab(
                    uid, "" if plain else entry.address, sys.intern(entry.license), bytes.fromhex(entry.sha256)
                )
                by_folder.setdefault(folders.get(uid, ""), []).append(packed)
        del folders
        uids = {folder: [packed.uid for packed in by_folder[folder]] for folder in sorted(by_folder.keys() - {""})}
        self.objaverse.copy.tell_lacking(uids)
        for folder, annotations in self.objaverse.annotations(uids):
            details = json.dumps({"folder": folder})
            for packed in by_folder.pop(folder):
                yield _sketchfab_row(packed, details, annotations.get(packed.uid), lvis.get(packed.uid, ""))
        for packed in by_folder.get("", []):
            yield _sketchfab_row(packed, json.dumps({"folder": ""}), None, lvis.get(packed.uid, ""))

    def _entries(self, part: str, faults: Faults) -> Iterator[Entry]:
        """The entries of a part.

        Raises:
            ConfigError: the table cannot be fetched or read.
        """
        self.dataset.read(PARTS[part], check_table)
        return read_entries(self.dataset.kept(PARTS[part]), faults)


class _Sketchfab(NamedTuple):
    """An entry of Sketchfab's as it is held in memory, 800,000 of them."""

    uid: str
    address: str  # empty: the plain one of its uid
    license: str
    sha256: bytes


def _plan_files(
    entries: Iterator[Entry],
    row_of: Callable[[Entry, str], Row],
    wanted: Wanted | None,
    faults: Faults,
    unread: Counter[str],
) -> Iterator[Row]:
    """The rows of files on the web."""
    for entry in entries:
        file_format = (entry.file_type or PurePosixPath(entry.address).suffix).lower().lstrip(".")
        if file_format not in CHECKS:
            unread[sys.intern(file_format[:MAX_FORMAT]) or "without a type"] += 1
            continue
        try:
            row = row_of(entry, file_format)
        except (ValueError, AssetError) as error:
            faults.note(entry.address, str(error))
            continue
        if wanted is None or wanted.has(row["uid"], entry.sha256, entry.address):
            yield row


def _github_row(entry: Entry, file_format: str) -> Row:
    """Raises ValueError: it is not the address of a file on GitHub."""
    file = GitHubFile.parse(entry.address)
    stem = unquote(file.path).rpartition("/")[2].rpartition(".")[0]
    return _row(file.uid, entry, _DETAILS[file_format]) | {
        "name": _SEPARATORS.sub(" ", stem).strip(),
        "creator": sys.intern(file.snapshot.repository.partition("/")[0]),
    }


def _web_row(entry: Entry, file_format: str) -> Row:
    """Raises AssetError: it is not an address of the web."""
    check_address(entry.address)
    uid = f"smithsonian-{hashlib.sha256(entry.address.encode()).hexdigest()[:24]}"
    return _row(uid, entry, _DETAILS[file_format])


def _sketchfab_row(packed: _Sketchfab, details: str, annotation: Annotation | None, lvis_category: str) -> Row:
    entry = Entry(packed.address or SKETCHFAB_PAGE + packed.uid, packed.license, "glb", packed.sha256.hex())
    known = described(annotation, packed.uid) if annotation else {}
    row = _row(packed.uid, entry, details)
    said = {name: known[name] for name in ("name", "tags", "category", "creator", "license") if known.get(name)}
    return row | said | {"lvis_category": lvis_category, "split": "heldout" if lvis_category else ""}


def _row(uid: str, entry: Entry, details: str) -> Row:
    """The index row of an object of which the table of the dataset is all that is known."""
    return {
        "uid": uid,
        "source": "objaverse-xl",
        "origin_uri": entry.address,
        "name": "",
        "tags": [],
        "category": "",
        "lvis_category": "",
        "license": spdx(entry.license),
        "creator": "",
        "split": "",
        "sha256": entry.sha256,
        "details": details,
    }
