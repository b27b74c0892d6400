"""Base of the sources whose assets are one file each, behind a URL."""

import tempfile
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import shown
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.mirrors import is_mirror
from pipeline.assets.files.checks import CHECKS, HEAD_BYTES, what_it_is_instead, why_not_read
from pipeline.assets.files.disk import DiskFolder
from pipeline.assets.files.gather import gather
from pipeline.assets.sources import AssetSource, Fetched
from pipeline.base.errors import AssetError


class RemoteSource(AssetSource):
    """Assets on the network. Files that such an asset names beside itself are not fetched: a texture of these counts
    as missing, a geometry buffer makes the asset an error."""

    def __init__(self, config: AssetsConfig):
        super().__init__(config)
        self.parallel = config.downloads
        self.downloader = Downloader(config)

    def fetch_file(self, url: str, file_format: str, sha256: str, folder: Path) -> Fetched:
        """Fetch, check and place one file.

        Args:
            url: `file://` is taken below a mirror that the settings name; a source that has addresses from a table
                refuses it before (`check_address`).

        Raises:
            AssetError, Timeout, Unreachable: as `Downloader.fetch` and `gather`.
        """
        if file_format not in CHECKS:
            raise AssetError(f"{shown(url)}: {why_not_read(file_format)}")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as scratch:
            here = Path(scratch)
            self.downloader.fetch(url, here / f"asset.{file_format}", self.config.max_bytes, sha256)
            return self.take_file(here / f"asset.{file_format}", url, file_format, folder)

    def take_file(self, file: Path, url: str, file_format: str, folder: Path) -> Fetched:
        """Check and place one file that was fetched from `url` into a folder with nothing else.

        Raises:
            AssetError: as `gather`.
        """
        with file.open("rb") as content:
            instead = what_it_is_instead(content.read(HEAD_BYTES))
        if instead:
            sender = "the mirror has" if is_mirror(url) else "the server sent"
            raise AssetError(f"{shown(url)}: {sender} {instead} instead of the model")
        try:
            return gather(file.name, DiskFolder(file.parent), folder, self.config.max_bytes)
        except AssetError as error:
            raise AssetError(f"{shown(url)}: {error}") from error
