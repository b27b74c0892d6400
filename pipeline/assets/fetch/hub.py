"""One dataset's files on the Hugging Face hub or a mirror of it, cached on disk once they are known to be complete."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import check_address, shown
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.mirrors import hub_address, is_mirror, mirror_address, mirror_folder
from pipeline.assets.fetch.tokens import announce_withheld
from pipeline.assets.files.checks import HEAD_BYTES, what_it_is_instead
from pipeline.base.errors import AssetError, ConfigError, Timeout, Unreachable
from pipeline.store.leftovers import owned_name, remove_dead

logger = logging.getLogger(__name__)

TEMPORARY = ".tmp"  # folder of files in the making
LAYOUTS = ("{repository}/resolve/{revision}/", "{repository}/", "")  # of mirrors on a disk, below their folder
Content = TypeVar("Content")


class HubDataset:
    """What a plan needs of one dataset, at one revision, at `assets.endpoint` (else HF_ENDPOINT, else the hub).

    What is kept lies in `assets.cache`, by host and revision: a file takes its place there only after it was read to
    its end and has the form that it should have. Of a mirror on a disk nothing is copied there.
    """

    def __init__(self, config: AssetsConfig, downloader: Downloader, repository: str, revision: str, max_bytes: int):
        """
        Raises:
            ConfigError: the endpoint is no address, or a folder that is not there.
        """
        self.endpoint = hub_address(config)
        self._repository, self._revision, self._max_bytes = repository, revision, max_bytes
        self._downloader, self._config = downloader, config
        setting = "assets.endpoint" if config.endpoint else "HF_ENDPOINT"
        self._mirror = mirror_folder(self.endpoint, setting) if is_mirror(self.endpoint) else None
        if self._mirror is None:
            try:
                check_address(self.endpoint)
            except AssetError as error:
                raise ConfigError(f"{setting}: {error}; a mirror on a disk is written file:///folder") from error
        host = quote(urlsplit(self.endpoint).netloc.rpartition("@")[2], safe="")
        self._cache = _cache_folder(config) / host / revision

    def url(self, path: str) -> str:
        """The address of a file; of a mirror on a disk, in that of the `LAYOUTS` in which it is there."""
        if self._mirror is None:
            return f"{self.endpoint}/{self._repository}/resolve/{self._revision}/{path}"
        layouts = [layout.format(repository=self._repository, revision=self._revision) for layout in LAYOUTS]
        there = [layout for layout in layouts if Path(self._mirror, layout, path).exists()]
        return mirror_address(self._mirror, f"{(there or layouts)[0]}{path}")

    def kept(self, path: str) -> Path:
        """Where a file is kept, or would be; of a mirror on a disk, where it lies there.

        Raises:
            ConfigError: the mirror does not have it, or it is too large.
        """
        if self._mirror is None:
            return self._cache / path
        try:
            file = self._downloader.mirrors.find(self.url(path))
        except AssetError as error:
            raise ConfigError(f"assets: {error}") from error
        if file.stat().st_size > self._max_bytes:
            raise ConfigError(f"assets: {file}: it has more than {self._max_bytes} bytes, which no such file has")
        return file

    def remove_leftovers(self) -> None:
        """Remove the partial files of processes that were killed."""
        remove_dead(self._cache / TEMPORARY)

    def read(self, path: str, parse: Callable[[Path], Content]) -> Content:
        """What `parse` makes of a file, from the cache where it is whole there.

        Args:
            parse: raises ValueError, in one line, for a file that is not what it should be.

        Raises:
            ConfigError: it cannot be fetched, or is not what it should be.
        """
        if self._mirror is None:
            announce_withheld(self.endpoint, self._config)  # here, as planning reads and the many workers do not
        file = self.kept(path)
        if self._mirror is None and file.is_file():
            try:
                return parse(file)
            except ValueError as error:
                logger.warning("%s is damaged (%s); fetching it again", file, error)
        return self.fetch(path, parse)

    def fetch(self, path: str, parse: Callable[[Path], Content]) -> Content:
        """As `read`, but from the hub."""
        file = self.kept(path)
        if self._mirror is not None:
            return self._parse(file, path, parse)
        scratch = self._cache / TEMPORARY / owned_name()
        scratch.mkdir(parents=True)
        try:
            self._downloader.fetch(self.url(path), scratch / file.name, self._max_bytes)
            content = self._parse(scratch / file.name, path, parse)
            file.parent.mkdir(parents=True, exist_ok=True)
            (scratch / file.name).replace(file)
        except (AssetError, Timeout, Unreachable) as error:
            cure = "run the same command again to fetch the rest; assets.endpoint accepts a mirror"
            raise ConfigError(f"assets: {error} ({cure})") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return content

    def _parse(self, file: Path, path: str, parse: Callable[[Path], Content]) -> Content:
        try:
            return parse(file)
        except ValueError as error:
            with file.open("rb") as content:
                instead = what_it_is_instead(content.read(HEAD_BYTES))
            found = (
                f"it is {instead}"
                if instead and not (instead.endswith("gzip file") and path.endswith(".gz"))
                else error
            )
            name = self._repository.rpartition("/")[2]
            raise ConfigError(
                f"assets: {shown(self.url(path))} is not a file of the dataset {name}: {found}"
            ) from error


def _cache_folder(config: AssetsConfig) -> Path:
    if config.cache:
        return Path(config.cache)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "clip-gs-corpus", "objaverse")
