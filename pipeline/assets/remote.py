"""Base of the sources whose assets are one file each, behind a URL."""

import tempfile
from pathlib import Path

from pipeline.assets.checks import CHECKS, why_not_read
from pipeline.assets.config import AssetsConfig
from pipeline.assets.disk import DiskFolder
from pipeline.assets.download import Downloader, check_address
from pipeline.assets.gather import gather
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

        Raises:
            AssetError, Timeout, Unreachable: as `Downloader.fetch` and `gather`.
        """
        check_address(url)
        if file_format not in CHECKS:
            raise AssetError(f"{url}: {why_not_read(file_format)}")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as scratch:
            here = Path(scratch)
            self.downloader.fetch(url, here / f"asset.{file_format}", self.config.max_bytes, sha256)
            return self.take_file(here / f"asset.{file_format}", url, file_format, folder)

    def take_file(self, file: Path, url: str, file_format: str, folder: Path) -> Fetched:
        """Check and place one file that was fetched from `url` into a folder with nothing else.

        Raises:
            AssetError: as `gather`.
        """
        try:
            return gather(file.name, DiskFolder(file.parent), folder, self.config.max_bytes)
        except AssetError as error:
            raise AssetError(f"{url}: {error}") from error
