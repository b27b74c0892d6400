"""The SHA-256 of Objaverse 1.0's files, which Objaverse-XL has: its part `sketchfab` are these files."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.hub import HubDataset
from pipeline.assets.objaverse.xl_source import MAX_FILE_BYTES, PARTS, REPOSITORY, REVISION
from pipeline.assets.tables.name_lists import canonical, is_sha256
from pipeline.base.errors import ConfigError

logger = logging.getLogger(__name__)

BATCH_ROWS = 65_536
COLUMNS = ["fileIdentifier", "sha256"]


def known_checksums(config: AssetsConfig, downloader: Downloader, needed: bool) -> dict[str, bytes]:
    """uid -> SHA-256 (32 bytes).

    Args:
        needed: fetch the table; else it is used if it is in the cache, and nothing is known if it is not.

    Raises:
        ConfigError: it is needed, and cannot be fetched.
    """
    dataset = HubDataset(config, downloader, REPOSITORY, REVISION, MAX_FILE_BYTES)
    path = PARTS["sketchfab"]
    if needed:
        return dataset.read(path, _read)
    try:
        file = dataset.kept(path)
        checksums = _read(file) if file.is_file() else {}
    except ConfigError:  # a mirror on a disk does not have it
        return {}
    except ValueError as error:
        logger.warning("Objaverse 1.0: checksums are not used, as Objaverse-XL's table of them is not whole: %s", error)
        return {}
    if checksums:
        logger.info("Objaverse 1.0: the SHA-256 of %d files are known, from %s", len(checksums), file)
    return checksums


def _read(file: Path) -> dict[str, bytes]:
    """Raises ValueError, in one line: it is not the table."""
    checksums: dict[str, bytes] = {}
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=COLUMNS):
                for address, digest in zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True):
                    if isinstance(address, str) and isinstance(digest, str) and is_sha256(digest):
                        checksums[canonical(address)] = bytes.fromhex(digest)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ValueError(f"it is not a Parquet file: {' '.join(str(error).split())[:200]}") from error
    return checksums
