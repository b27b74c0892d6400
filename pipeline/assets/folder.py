"""Asset files in a folder, at any depth."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.assets.files.checks import CHECKS
from pipeline.assets.files.disk import DiskFolder
from pipeline.assets.files.gather import gather
from pipeline.assets.layouts import recognised
from pipeline.assets.sidecars import Sidecars, Told
from pipeline.assets.sources import AssetSource, Fetched
from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row
from pipeline.values.licences import spdx

MAX_SLUG = 60


class FolderSource(AssetSource):
    """Every file of a known format below `assets.path`, or that one file; `FILE.json` beside one may describe it.

    A folder that is laid out as a known data set tells more (`pipeline.assets.layouts`). Blender's own files are
    listed, too, so that it is on record why they are not read.
    """

    def plan(self) -> Iterator[Row]:
        root = self._root()
        given = Path(self.config.path)
        candidates = [given] if given.is_file() else root.rglob("*")
        listed = {*CHECKS, "blend"}
        files = sorted(path for path in candidates if path.suffix.lower()[1:] in listed and path.is_file())
        if not files:
            raise ConfigError(f"assets.path: no {', '.join(CHECKS)} file in the folder {root}")
        paths = [file.relative_to(root).as_posix() for file in files]
        layout, sidecars = recognised(root, paths), Sidecars()
        for file, path in zip(files, paths, strict=True):
            match = layout.found.get(path) if layout else None
            own = layout.told(match) if layout and match else Told(name=_name_of(file))
            beside = [f"{file.name}.json", *(layout.sidecars(match) if layout and match else ())]
            told = sidecars.read(file.with_name(name) for name in beside).over(own)
            yield {
                "uid": own.uid or uid_of(path),
                "source": "folder",
                "origin_uri": _printable(path),
                "name": told.name,
                "tags": list(told.tags),
                "category": told.category,
                "lvis_category": told.lvis_category,
                "license": spdx(told.license),
                "creator": told.creator,
                "split": told.split,
                "sha256": "",
                "details": json.dumps({"file": path}),
            }
        sidecars.warn()

    def fetch(self, row: Row, folder: Path) -> Fetched:
        return gather(json.loads(row["details"])["file"], DiskFolder(self._root()), folder, self.config.max_bytes)

    def _root(self) -> Path:
        root = Path(self.config.path)
        root = root.parent if root.is_file() else root
        if not self.config.path or not root.is_dir():
            raise ConfigError(f"assets.path: '{self.config.path}' is not a folder")
        return root


def uid_of(relative: str) -> str:
    """Readable, safe in file names, and different for different paths: `chairs/Oak.glb` -> `chairs-Oak-1a2b3c4d`."""
    digest = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", relative.rpartition(".")[0]).strip("-")[-MAX_SLUG:].strip("-")
    return f"{slug}-{digest}" if slug else digest


def _name_of(file: Path) -> str:
    return re.sub(r"[\s_-]+", " ", _printable(file.stem)).strip()


def _printable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
