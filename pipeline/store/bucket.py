"""Corpora in buckets: how they are read, how long a silent store is retried, and what killed runs leave there."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from pipeline.base.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Pauses grow to 20 s: errors of a store are waited out for some minutes, one that does not answer for longer.
READERS = 16  # threads that read small files ahead
_S3 = {"config_kwargs": {"retries": {"mode": "standard", "max_attempts": 10}, "max_pool_connections": 2 * READERS}}
OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}  # of a filesystem, by protocol

FOOTER_BYTES = 64_000  # of a Parquet file's end: the footer of a usual shard, by one request
UPLOAD_DAYS = 1  # after which an upload that is not complete belongs to nobody


@contextmanager
def reaching(path: str) -> Iterator[None]:
    """What a bucket's filesystem raises in this block is a StorageError, but for files that are not there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise StorageError(f"the corpus's storage does not serve {path}: {reason}") from error


class BucketFile(io.RawIOBase):
    """A file of a bucket, open for reading: trouble with the store is not taken for a damaged file."""

    def __init__(self, filesystem: AbstractFileSystem, path: str):
        super().__init__()
        self._path = path
        with reaching(path):
            self._file = filesystem.open(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place: int = self._file.seek(offset, whence)
        return place

    def tell(self) -> int:
        place: int = self._file.tell()
        return place

    def read(self, size: int = -1) -> bytes:
        with reaching(self._path):
            data: bytes = self._file.read(size)
        return data

    def readinto(self, buffer: "WriteableBuffer") -> int:
        with reaching(self._path):
            count: int = self._file.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def read_footer(filesystem: AbstractFileSystem, path: str) -> pq.FileMetaData:
    """The footer of a Parquet file, by as few requests as can be.

    Raises:
        FileNotFoundError: there is no such file.
        pyarrow.ArrowException, OSError: it is no Parquet file, or damaged.
    """
    with reaching(path):
        end = filesystem.cat_file(path, start=-FOOTER_BYTES)
        needed = int.from_bytes(end[-8:-4], "little") + 8
        if needed > len(end) == FOOTER_BYTES:
            end = filesystem.cat_file(path, start=-needed)
    return pq.read_metadata(pa.BufferReader(end))


def read_small(filesystem: AbstractFileSystem, path: str) -> pq.ParquetFile:
    """A small Parquet file, all of it by one request; no thread of Arrow's reads it (see `CorpusStore.parquet`).

    Raises:
        FileNotFoundError: there is no such file.
    """
    with reaching(path):
        content = filesystem.cat_file(path)
    return pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False)


def abort_old_uploads(filesystem: AbstractFileSystem, root: str) -> None:
    """Abort multipart uploads that nobody continues: no reader sees them, but they are paid for.

    Whose they are is not known, so that those of the last day stay: another run's may still be under way.
    """
    if not hasattr(filesystem, "call_s3"):
        return  # only S3 keeps them for ever
    bucket, prefix, _ = filesystem.split_path(root)
    with reaching(root):
        uploads = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/").get("Uploads", [])
        for upload in uploads:
            if datetime.now(UTC) - upload["Initiated"] > timedelta(days=UPLOAD_DAYS):
                filesystem.abort_mpu(bucket, upload["Key"], upload["UploadId"])
