"""Sweet Home 3D furniture libraries: a zip of models with a catalogue, `PluginFurnitureCatalog.properties`.

The catalogue numbers its pieces: `name#7`, `model#7`, `tags#7`, … `modelRotation#7` is a row-major 3x3 matrix R: the
piece stands upright as R @ v for a vertex v of the model's file, y up. (Checked on Debian's five libraries: with R the
box around a model has the proportions of the catalogue's width, height and depth; with R transposed it has not.)
"""

import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.assets.files.gather import AssetFiles, folded, gather
from pipeline.assets.files.places import in_known_places
from pipeline.assets.properties import parse_properties
from pipeline.assets.sources import AssetSource, Fetched
from pipeline.base.errors import AssetError, ConfigError
from pipeline.store.rows import Row
from pipeline.values.licences import spdx

logger = logging.getLogger(__name__)

CATALOGUE = "PluginFurnitureCatalog.properties"
ENGLISH = "PluginFurnitureCatalog_en.properties"  # overrides the catalogue where its own language is another
PIECE_KEYS = ("id", "name", "tags", "category", "creator", "license", "model", "modelRotation")
MAX_CATALOGUE_BYTES = 50_000_000
MAX_NOTE_BYTES = 100_000
# Models from Blend Swap carry the licence of their author in a text or HTML file of their own.
_LICENSE_NOTE = re.compile(r"(^|/)(\d+|[^/]*license[^/]*)$", re.IGNORECASE)
_RELEASED_UNDER = re.compile(r"Released under\s+([^\n]+)", re.IGNORECASE)
_NOTICE = re.compile(r"(?:copyright\s*)?(?:©|\(c\))\s*(.+)", re.IGNORECASE)
UNPACK_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class Sh3fSource(AssetSource):
    """Every piece of one or more `.sh3f` libraries (`assets.path`, several joined by commas)."""

    def plan(self) -> Iterator[Row]:
        seen: set[str] = set()
        libraries = self._libraries()
        heldout = {name.strip() for name in self.config.heldout_libraries.split(",") if name.strip()}
        if heldout - libraries.keys():
            raise ConfigError(f"assets.heldout_libraries: {', '.join(heldout - libraries.keys())} not in assets.path")
        for path in libraries.values():
            for row in _library_rows(path):
                if row["uid"] in seen:
                    # Sweet Home 3D, too, keeps the first of several pieces with one id.
                    logger.warning("%s: %s occurs twice; the first one is used", path, row["uid"])
                    continue
                seen.add(row["uid"])
                yield {**row, "split": "heldout"} if path.name in heldout else row

    def fetch(self, row: Row, folder: Path) -> Fetched:
        details = json.loads(row["details"])
        rotation = _rotation(details["rotation"])
        with zipfile.ZipFile(self._libraries()[details["library"]]) as library:
            fetched = gather(details["model"], ZipFiles(library), folder, self.config.max_bytes)
        return replace(fetched, rotation=rotation)

    def _libraries(self) -> dict[str, Path]:
        """The libraries' paths by file name."""
        paths = [Path(part.strip()) for part in self.config.path.split(",") if part.strip()]
        if not paths:
            raise ConfigError("assets.path: name one or more .sh3f files, comma-separated")
        for path in paths:
            if not zipfile.is_zipfile(path):
                raise ConfigError(f"assets.path: {path} is not a Sweet Home 3D library (a .sh3f zip file)")
        if len({path.name for path in paths}) < len(paths):
            raise ConfigError("assets.path: two libraries have the same file name, which is part of every uid")
        return {path.name: path for path in paths}


class ZipFiles(AssetFiles):
    """The members of a zip file."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        self._names: dict[str, list[str]] = {}  # by their folded forms, once one is asked for

    def size(self, path: PurePosixPath) -> int | None:
        info = self.archive.NameToInfo.get(str(path))
        return None if info is None or info.is_dir() else info.file_size

    def copy(self, path: PurePosixPath, local: Path) -> None:
        try:
            # zipfile never unpacks more than the declared size
            with self.archive.open(str(path)) as packed, local.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        except UNPACK_ERRORS as error:
            raise AssetError(f"{path}: it cannot be unpacked ({error})") from error

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        if not self._names:
            for name in self.archive.NameToInfo:
                self._names.setdefault(folded(name), []).append(name)
        found = self._names.get(folded(str(path)), [])
        return PurePosixPath(found[0]) if len(found) == 1 else None

    def elsewhere(self, name: str, main: PurePosixPath) -> PurePosixPath | None:
        return in_known_places(self, name, main)


def _library_rows(path: Path) -> Iterator[Row]:
    """One index row per piece of one library, in the catalogue's order."""
    with zipfile.ZipFile(path) as library:
        catalogue = _read_catalogue(library, path)
        notes = _license_notes(library)
    numbers = sorted(int(key[6:]) for key in catalogue if re.fullmatch(r"model#\d+", key))
    for number in numbers:
        piece = {key: catalogue.get(f"{key}#{number}", "").strip() for key in PIECE_KEYS}
        member = piece["model"].lstrip("/")
        piece_id = piece["id"].rpartition("#")[2] or str(number)
        own_license = notes.get(str(PurePosixPath(member).parent), "")
        license_, notice = _split_notice(own_license or piece["license"] or catalogue.get("license", ""))
        yield {
            "uid": f"sh3f-{_slug(path.stem)}-{_slug(piece_id)}",
            "source": "sh3f",
            "origin_uri": f"{path.name}!/{member}",
            "name": piece["name"],
            "tags": [tag.strip() for tag in piece["tags"].split(",") if tag.strip()],
            "category": piece["category"],
            "lvis_category": "",
            "license": spdx(license_),
            "creator": ", ".join(part for part in (piece["creator"], notice) if part),
            "split": "",
            "sha256": "",
            "details": json.dumps({"library": path.name, "model": member, "rotation": piece["modelRotation"]}),
        }


def _split_notice(text: str) -> tuple[str, str]:
    """The licence in a text, and the copyright notice behind it, which whoever is credited is part of."""
    words = " ".join(text.split())
    found = _NOTICE.search(words)
    return (words[: found.start()].strip(), f"© {found[1]}") if found and found.start() else (words, "")


def _read_catalogue(library: zipfile.ZipFile, path: Path) -> dict[str, str]:
    names = [name for name in (CATALOGUE, ENGLISH) if name in library.NameToInfo]
    if CATALOGUE not in names:
        raise ConfigError(f"assets.path: {path} has no {CATALOGUE}: it is not a Sweet Home 3D furniture library")
    catalogue: dict[str, str] = {}
    for name in names:
        if library.getinfo(name).file_size > MAX_CATALOGUE_BYTES:
            raise ConfigError(f"assets.path: {path}: {name} is larger than {MAX_CATALOGUE_BYTES} bytes")
        catalogue |= parse_properties(library.read(name))
    return catalogue


def _license_notes(library: zipfile.ZipFile) -> dict[str, str]:
    """Folder of a model -> the licence that a note in this folder says it was released under."""
    notes = {}
    for info in library.infolist():
        folder = str(PurePosixPath(info.filename).parent)
        if folder == "." or not _LICENSE_NOTE.search(info.filename) or info.file_size > MAX_NOTE_BYTES:
            continue
        text = re.sub(r"<[^>]*>", "\n", library.read(info).decode("utf-8", "replace"))
        released_under = _RELEASED_UNDER.search(text)
        if released_under:
            notes[folder] = released_under[1].strip()
    return notes


def _rotation(text: str) -> tuple[float, ...]:
    """`modelRotation` as 9 numbers, row-major; empty for the identity.

    Raises:
        AssetError: it is not a rotation.
    """
    if not text:
        return ()
    try:
        matrix = np.array([float(word) for word in text.split()]).reshape(3, 3)
    except ValueError as error:
        raise AssetError(f"modelRotation {text!r} is not 9 numbers") from error
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise AssetError(f"modelRotation {text!r} is not a rotation")
    return () if np.array_equal(matrix, np.eye(3)) else tuple(matrix.ravel().tolist())


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
