"""Corpora in buckets: how long a store that does not answer is waited for, what is said then, and what kills leave."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fsspec import AbstractFileSystem

from pipeline.errors import StorageError

# Pauses grow to 20 s: errors of a store are waited out for some minutes, one that does not answer for longer.
_S3 = {"config_kwargs": {"retries": {"mode": "standard", "max_attempts": 10}}}
OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}  # of a filesystem, by protocol

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
        raise StorageError(f"the store of the corpus does not serve {path}: {reason}") from error


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
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        with reaching(self._path):
            return self._file.read(size)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def abort_old_uploads(filesystem: AbstractFileSystem, root: str) -> None:
    """End the uploads of files in parts that nobody goes on with: no reader sees them, but they are paid for.

    Whose they are is not known, so that those of the last day stay: another run's may still be going on.
    """
    if not hasattr(filesystem, "call_s3"):
        return  # only S3 keeps them for ever
    bucket, prefix, _ = filesystem.split_path(root)
    with reaching(root):
        uploads = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/").get("Uploads", [])
        for upload in uploads:
            if datetime.now(UTC) - upload["Initiated"] > timedelta(days=UPLOAD_DAYS):
                filesystem.abort_mpu(bucket, upload["Key"], upload["UploadId"])
