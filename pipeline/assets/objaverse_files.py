"""The files of the Objaverse 1.0 dataset on the hub: what is known of its objects.

The `objaverse` package is not used for them: it fetches with neither time limit nor checksum, and keeps whatever came,
so that one cut-off index breaks every later run; and it holds the annotations of all objects in memory at once.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.assets.config import AssetsConfig
from pipeline.assets.download import Downloader
from pipeline.assets.hub import HubDataset
from pipeline.base.errors import ConfigError
from pipeline.store.read_ahead import read_ahead

REPOSITORY = "datasets/allenai/objaverse"
REVISION = "21e4e142159e2153706c23a3a02e55cec5591cea"  # the dataset is named by a commit: equal plans, today or later
OBJECT_PATHS = "object-paths.json.gz"
LVIS = "lvis-annotations.json.gz"
MAX_FILE_BYTES = 200_000_000
MAX_UNPACKED_BYTES = 500_000_000
UID = re.compile(r"[0-9a-f]{32}")
PATH = re.compile(rf"glbs/(\d{{3}}-\d{{3}})/({UID.pattern})\.glb")
Content = TypeVar("Content")


class Label(BaseModel):
    """A tag or a category."""

    name: str | None = None


class User(BaseModel):
    displayName: str | None = None
    username: str | None = None


class Annotation(BaseModel):
    """What Sketchfab says of an object, as far as it is used (the names are the file's)."""

    name: str | None = None
    tags: list[Label] | None = None
    categories: list[Label] | None = None
    user: User | None = None
    license: str | None = None
    viewerUrl: str | None = None


PATHS_FORM = TypeAdapter(dict[str, str])  # uid -> glbs/000-023/UID.glb
LVIS_FORM = TypeAdapter(dict[str, list[str]])  # category -> uids
ANNOTATIONS_FORM = TypeAdapter(dict[str, Annotation])  # of the objects of one folder below glbs/


class ObjaverseFiles:
    """The dataset's files at the hub or a mirror of it; see `HubDataset`."""

    def __init__(self, config: AssetsConfig, downloader: Downloader):
        self.hub = HubDataset(config, downloader, REPOSITORY, REVISION, MAX_FILE_BYTES)
        self._parallel = config.downloads

    def url(self, path: str) -> str:
        return self.hub.url(path)

    def uids_by_folder(self) -> dict[str, list[str]]:
        """The dataset's folders of GLB files (`000-023`), in order, with the uids of their objects.

        Raises:
            ConfigError: as `_read`; or a path is not of the dataset's form.
        """
        self.hub.remove_leftovers()
        folders: dict[str, list[str]] = {}
        for uid, path in self._read(OBJECT_PATHS, PATHS_FORM).items():
            match = PATH.fullmatch(path)
            if match is None or match[2] != uid:
                raise ConfigError(f"{self.url(OBJECT_PATHS)}: {path[:200]!r} is not a path of the object {uid[:80]!r}")
            folders.setdefault(match[1], []).append(uid)
        return dict(sorted(folders.items()))

    def lvis_categories(self) -> dict[str, str]:
        """uid -> LVIS category; of several, the first by name.

        Raises:
            ConfigError: as `_read`.
        """
        categories: dict[str, str] = {}
        for category, uids in sorted(self._read(LVIS, LVIS_FORM).items()):
            for uid in uids:
                categories.setdefault(uid, category)
        return categories

    def annotations(self, folders: list[str]) -> Iterator[tuple[str, dict[str, Annotation]]]:
        """The annotations of one folder after the other; those ahead are fetched meanwhile, but not held in memory.

        Raises:
            ConfigError: as `_read`.
        """
        paths = [f"metadata/{folder}.json.gz" for folder in folders]
        fetch = partial(self._ensure, form=ANNOTATIONS_FORM)
        with closing(read_ahead(fetch, paths, self._parallel)) as fetched:
            for folder, path, _ in zip(folders, paths, fetched, strict=True):
                yield folder, self._read(path, ANNOTATIONS_FORM)

    def _ensure(self, path: str, form: TypeAdapter[Any]) -> None:
        if not self.hub.kept(path).is_file():
            self.hub.fetch(path, partial(_parse, form=form))

    def _read(self, path: str, form: "TypeAdapter[Content]") -> Content:
        """A file's content.

        Raises:
            ConfigError: as `HubDataset.read`.
        """
        return self.hub.read(path, partial(_parse, form=form))


def _parse(file: Path, form: "TypeAdapter[Content]") -> Content:
    """The content of a gzipped JSON file.

    Raises:
        ValueError: it is damaged, too large or of another form; in one line.
    """
    try:
        with gzip.open(file) as packed:
            data = packed.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:  # gzip's own error is an OSError
        raise ValueError(f"it cannot be unpacked, {error}") from error
    if len(data) > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    try:
        return form.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ValueError(" ".join(f"{'.'.join(map(str, first['loc']))} {first['msg']}".split())) from error
