"""The files of the Objaverse 1.0 dataset on the hub: what is known of its objects, kept on disk once it is known whole.

The `objaverse` package is not used for them: it fetches with neither time limit nor checksum, and keeps whatever came,
so that one cut-off index breaks every later run; and it holds the annotations of all objects in memory at once.
"""

import gzip
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.assets.config import AssetsConfig
from pipeline.assets.download import Downloader, check_address
from pipeline.errors import AssetError, ConfigError, Timeout, Unreachable
from pipeline.leftovers import owned_name, remove_dead

logger = logging.getLogger(__name__)

HUB = "https://huggingface.co"
REPOSITORY = "datasets/allenai/objaverse"
REVISION = "21e4e142159e2153706c23a3a02e55cec5591cea"  # the dataset is named by a commit: equal plans, today or later
OBJECT_PATHS = "object-paths.json.gz"
LVIS = "lvis-annotations.json.gz"
TEMPORARY = ".tmp"  # folder of files in the making
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
    """The dataset's files at the hub or a mirror of it (`assets.endpoint`, else HF_ENDPOINT).

    What is kept lies in `assets.cache`, by host and revision: a file takes its place there only after it was unpacked
    to its end and has the form that it should have.
    """

    def __init__(self, config: AssetsConfig, downloader: Downloader):
        self.endpoint = (config.endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        try:
            check_address(self.endpoint)
        except AssetError as error:
            raise ConfigError(f"assets.endpoint: {error}") from error
        self._downloader = downloader
        self._parallel = config.downloads
        self._cache = _cache_folder(config) / quote(urlsplit(self.endpoint).netloc, safe="") / REVISION

    def url(self, path: str) -> str:
        return f"{self.endpoint}/{REPOSITORY}/resolve/{REVISION}/{path}"

    def uids_by_folder(self) -> dict[str, list[str]]:
        """The dataset's folders of GLB files (`000-023`), in order, with the uids of their objects.

        Raises:
            ConfigError: as `_read`; or a path is not of the dataset's form.
        """
        remove_dead(self._cache / TEMPORARY)
        folders: dict[str, list[str]] = {}
        for uid, path in self._read(OBJECT_PATHS, PATHS_FORM).items():
            match = PATH.fullmatch(path)
            if match is None or match[2] != uid:
                raise ConfigError(f"{self.url(OBJECT_PATHS)}: {path[:200]!r} is no path of the object {uid[:80]!r}")
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
        with ThreadPoolExecutor(self._parallel) as pool:
            fetched = [pool.submit(self._ensure, path, ANNOTATIONS_FORM) for path in paths]
            try:
                for folder, path, future in zip(folders, paths, fetched, strict=True):
                    future.result()
                    yield folder, self._read(path, ANNOTATIONS_FORM)
            finally:
                pool.shutdown(cancel_futures=True)

    def _ensure(self, path: str, form: TypeAdapter) -> None:
        if not (self._cache / path).is_file():
            self._fetch(path, form)

    def _read(self, path: str, form: "TypeAdapter[Content]") -> Content:
        """A file's content, from the cache where it is whole there.

        Raises:
            ConfigError: it cannot be fetched, or is not what it should be.
        """
        file = self._cache / path
        if file.is_file():
            try:
                return _parse(file, form)
            except ValueError as error:
                logger.warning("%s is damaged (%s) and is fetched again", file, error)
        return self._fetch(path, form)

    def _fetch(self, path: str, form: "TypeAdapter[Content]") -> Content:
        file = self._cache / path
        scratch = self._cache / TEMPORARY / owned_name()
        scratch.mkdir(parents=True)
        try:
            self._downloader.fetch(self.url(path), scratch / file.name, MAX_FILE_BYTES)
            content = _parse(scratch / file.name, form)
            file.parent.mkdir(parents=True, exist_ok=True)
            (scratch / file.name).replace(file)
        except (AssetError, Timeout, Unreachable) as error:
            cure = "the same command goes on with what is missing; assets.endpoint takes a mirror"
            raise ConfigError(f"assets: {error} ({cure})") from error
        except ValueError as error:
            raise ConfigError(f"assets: {self.url(path)} is not a file of Objaverse 1.0: {error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return content


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


def _cache_folder(config: AssetsConfig) -> Path:
    if config.cache:
        return Path(config.cache)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "clip-gs-corpus", "objaverse")
