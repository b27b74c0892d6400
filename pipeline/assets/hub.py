"""One dataset's files on the Hugging Face hub or a mirror of it, cached on disk once they are known to be complete."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from pipeline.assets.config import AssetsConfig
from pipeline.assets.download import Downloader, check_address
from pipeline.base.errors import AssetError, ConfigError, Timeout, Unreachable
from pipeline.store.leftovers import owned_name, remove_dead

logger = logging.getLogger(__name__)

HUB = "https://huggingface.co"
TEMPORARY = ".tmp"  # folder of files in the making
Content = TypeVar("Content")


class HubDataset:
    """What a plan needs of one dataset, at one revision, at `assets.endpoint` (else HF_ENDPOINT).

    What is kept lies in `assets.cache`, by host and revision: a file takes its place there only after it was read to
    its end and has the form that it should have.
    """

    def __init__(self, config: AssetsConfig, downloader: Downloader, repository: str, revision: str, max_bytes: int):
        self.endpoint = (config.endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        try:
            check_address(self.endpoint)
        except AssetError as error:
            raise ConfigError(f"assets.endpoint: {error}") from error
        self._repository, self._revision, self._max_bytes = repository, revision, max_bytes
        self._downloader = downloader
        self._cache = _cache_folder(config) / quote(urlsplit(self.endpoint).netloc, safe="") / revision

    def url(self, path: str) -> str:
        return f"{self.endpoint}/{self._repository}/resolve/{self._revision}/{path}"

    def kept(self, path: str) -> Path:
        """Where a file is kept, or would be."""
        return self._cache / path

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
        file = self.kept(path)
        if file.is_file():
            try:
                return parse(file)
            except ValueError as error:
                logger.warning("%s is damaged (%s); fetching it again", file, error)
        return self.fetch(path, parse)

    def fetch(self, path: str, parse: Callable[[Path], Content]) -> Content:
        """As `read`, but from the hub."""
        file = self.kept(path)
        scratch = self._cache / TEMPORARY / owned_name()
        scratch.mkdir(parents=True)
        try:
            self._downloader.fetch(self.url(path), scratch / file.name, self._max_bytes)
            content = parse(scratch / file.name)
            file.parent.mkdir(parents=True, exist_ok=True)
            (scratch / file.name).replace(file)
        except (AssetError, Timeout, Unreachable) as error:
            cure = "run the same command again to fetch the rest; assets.endpoint accepts a mirror"
            raise ConfigError(f"assets: {error} ({cure})") from error
        except ValueError as error:
            name = self._repository.rpartition("/")[2]
            raise ConfigError(f"assets: {self.url(path)} is not a file of the dataset {name}: {error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return content


def _cache_folder(config: AssetsConfig) -> Path:
    if config.cache:
        return Path(config.cache)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "clip-gs-corpus", "objaverse")
