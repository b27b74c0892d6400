"""Asset files in a folder, at any depth."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.assets.checks import CHECKS
from pipeline.assets.disk import DiskFolder
from pipeline.assets.gather import gather
from pipeline.assets.sources import AssetSource, Fetched
from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row
from pipeline.values.licences import spdx

MAX_SLUG = 60


class Sidecar(BaseModel):
    """What may be told about `chair.glb` in a file `chair.glb.json` beside it."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    tags: list[str] = []
    category: str = ""
    lvis_category: str = ""
    license: str = ""
    creator: str = ""
    split: str = ""


class FolderSource(AssetSource):
    """Every file of a known format below `assets.path`, or that one file; `FILE.json` beside one may describe it.

    Blender's own files are listed, too, so that it is on record why they are not read.
    """

    def plan(self) -> Iterator[Row]:
        root = self._root()
        given = Path(self.config.path)
        candidates = [given] if given.is_file() else root.rglob("*")
        listed = {*CHECKS, "blend"}
        files = sorted(path for path in candidates if path.suffix.lower()[1:] in listed and path.is_file())
        if not files:
            raise ConfigError(f"assets.path: no {', '.join(CHECKS)} file in the folder {root}")
        for file in files:
            relative = file.relative_to(root)
            known = read_sidecar(file.with_name(f"{file.name}.json")).model_dump()
            name = known.pop("name") or re.sub(r"[\s_-]+", " ", _printable(file.stem)).strip()
            yield {
                "uid": uid_of(relative.as_posix()),
                "source": "folder",
                "origin_uri": _printable(relative.as_posix()),
                "name": name,
                **known,
                "license": spdx(known["license"]),
                "sha256": "",
                "details": json.dumps({"file": relative.as_posix()}),
            }

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


def read_sidecar(file: Path) -> Sidecar:
    """What the sidecar says; nothing is known where there is none.

    Raises:
        ConfigError: it cannot be read, or has unknown keys; the message names file and key.
    """
    if not file.is_file():
        return Sidecar()
    try:
        return Sidecar.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file}: {'.'.join(map(str, first['loc']))} {first['msg']}") from error


def _printable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
