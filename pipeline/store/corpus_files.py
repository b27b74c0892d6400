"""The files of a corpus, whatever is in them: written atomically, on a local disk or in a bucket."""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.base.errors import ConfigError
from pipeline.store.bucket import OPTIONS, READERS, BucketFile, abort_old_uploads, reaching
from pipeline.store.leftovers import SCRATCH, owned_name, remove_dead, scratch_folder
from pipeline.store.record import Record

AnyRecord = TypeVar("AnyRecord", bound=Record)

CHUNK = 1 << 22  # bytes that are read at once of a large file
TEMPORARY = ".tmp"  # folder of files in the making, on a local disk


class CorpusFiles:
    """A folder or bucket URI: local path, `s3://…`, `gs://…`, any fsspec filesystem."""

    def __init__(self, uri: str | os.PathLike[str]):
        self.uri = os.fspath(uri)
        # Other processes write here too: what a listing said a moment ago may be wrong.
        options = OPTIONS.get(fsspec.core.split_protocol(self.uri)[0], {})
        self.filesystem, self.root = fsspec.core.url_to_fs(self.uri, use_listings_cache=False, **options)
        self.is_local = isinstance(self.filesystem, LocalFileSystem)
        self.readers = 0 if self.is_local else READERS  # threads that are worth while beside the caller for small files

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.root if self.is_local else self.uri,)  # a worker may have another working folder

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CorpusFiles) and (self.root, self.filesystem) == (other.root, other.filesystem)

    def __hash__(self) -> int:
        return hash(self.root)

    # Places

    def path(self, *parts: str) -> str:
        """Absolute path (in the corpus's filesystem) of something inside the corpus.

        Raises:
            ConfigError: it would leave the corpus: what a table or a manifest names may be anything.
        """
        inner = "/".join(parts)
        if ".." in inner.split("/"):
            raise ConfigError(f"{inner[:200]!r} would leave the corpus {self.uri}: its tables are damaged or hostile")
        return f"{self.root.rstrip('/')}/{inner}" if parts else self.root.rstrip("/")

    def exists(self, *parts: str) -> bool:
        path = self.path(*parts)
        with self._reaching(path):
            return bool(self.filesystem.exists(path))

    def names(self, *parts: str) -> list[str]:
        """Names of what lies in a folder, in order; none where there is no such folder."""
        folder = self.path(*parts)
        try:
            with self._reaching(folder):
                paths = self.filesystem.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in paths)

    def remove(self, *parts: str) -> None:
        """Remove a file, which is there."""
        path = self.path(*parts)
        with self._reaching(path):
            self.filesystem.rm_file(path)

    def remove_folder(self, *parts: str) -> None:
        """Remove a folder, which is there, and all that is in it."""
        path = self.path(*parts)
        with self._reaching(path):
            if self.is_local:
                shutil.rmtree(path)
            else:  # one by one: `rm` would take `[`, `*` and `?` of the path for a pattern
                for file in self.filesystem.find(path):
                    self.filesystem.rm_file(file)

    def rename_folder(self, old: str, new: str) -> None:
        """Give a folder another path inside the corpus; in a bucket, its files are copied one by one."""
        with self._reaching(self.path(old)):
            if self.is_local:
                Path(self.path(old)).rename(self.path(new))
            else:
                for file in self.filesystem.find(self.path(old)):
                    self.filesystem.cp_file(file, self.path(new) + file.removeprefix(self.path(old)))
                    self.filesystem.rm_file(file)

    def _reaching(self, path: str) -> AbstractContextManager[None]:
        return nullcontext() if self.is_local else reaching(path)

    # Files

    def open_binary(self, *parts: str) -> AbstractContextManager[BinaryIO]:
        """A file, open for reading.

        Raises:
            FileNotFoundError: it is not there.
        """
        path = self.path(*parts)
        return Path(path).open("rb") if self.is_local else io.BufferedReader(BucketFile(self.filesystem, path), CHUNK)

    def digest(self, *parts: str) -> tuple[str, int]:
        """SHA-256 (hex) and length of a file.

        Raises:
            FileNotFoundError: it is not there.
        """
        digest, size = hashlib.sha256(), 0
        with self.open_binary(*parts) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest(), size

    def read_bytes(self, *parts: str) -> bytes:
        """All of a small file.

        Raises:
            FileNotFoundError: it is not there.
        """
        path = self.path(*parts)
        with self._reaching(path):
            content: bytes = self.filesystem.cat_file(path)
        return content

    def read_json(self, *parts: str) -> Any:
        return json.loads(self.read_bytes(*parts))

    def write_json(self, value: Any, *parts: str) -> None:
        self.write_text(json.dumps(value, indent=2) + "\n", *parts)

    def read_record(self, kind: type[AnyRecord], *parts: str) -> AnyRecord:
        """A record that is a JSON file.

        Raises:
            FileNotFoundError: it is not there.
            ConfigError: it is damaged.
        """
        content = self.read_bytes(*parts)
        try:
            return kind.parse(content)
        except ValueError as error:
            raise ConfigError(f"{self.path(*parts)} is damaged ({error}): {kind.cure}") from error

    def find_record(self, kind: type[AnyRecord], *parts: str) -> AnyRecord | None:
        """The same; None if it is not there."""
        return self.read_record(kind, *parts) if self.exists(*parts) else None

    def write_record(self, record: Record, *parts: str) -> None:
        self.write_json(record.as_json(), *parts)

    def write_text(self, text: str, *parts: str) -> None:
        with self.atomic_file(self.path(*parts)) as file:
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def atomic_file(self, path: str) -> Iterator[Path]:
        """A local file to fill; it takes its place at `path` only if the block succeeds."""
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            folder = Path(self.path(TEMPORARY))
            folder.mkdir(exist_ok=True)
            temporary = folder / owned_name()
        else:
            temporary = Path(tempfile.gettempdir(), f"{SCRATCH}{owned_name()}")
        try:
            yield temporary
            if self.is_local:
                temporary.replace(path)
            else:
                with reaching(path):
                    self.filesystem.put_file(str(temporary), path)  # nothing is there before all of it is
        finally:
            temporary.unlink(missing_ok=True)

    def scratch_folder(self) -> AbstractContextManager[Path]:
        """A path for a local folder of temporary files (see `leftovers.scratch_folder`)."""
        return scratch_folder(Path(self.path(TEMPORARY)) if self.is_local else None)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of processes of this machine that were killed while writing."""
        if self.is_local:
            remove_dead(Path(self.path(TEMPORARY)))
        else:
            remove_dead(Path(tempfile.gettempdir()), SCRATCH)
            abort_old_uploads(self.filesystem, self.root)

    @contextmanager
    def parquet(self, path: str, footer: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
        """An open Parquet file (`pq.read_table` would import pandas, where it is installed); `footer`, if it is known.

        On a local disk Arrow opens it itself. A Python file may be let go of last by one of Arrow's threads, for which
        it needs the interpreter: if that is just ending, the process aborts.
        """
        with ExitStack() as stack:
            source = path if self.is_local else stack.enter_context(BucketFile(self.filesystem, path))
            yield stack.enter_context(pq.ParquetFile(source, metadata=footer, page_checksum_verification=True))

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """The bytes of a file from `start` up to `end`."""
        with self._reaching(path):
            content: bytes = self.filesystem.cat_file(path, start=start, end=end)
        return content

    def arrow_filesystem(self) -> pyarrow.fs.FileSystem:
        """The corpus's filesystem as pyarrow's datasets want it; a local one is Arrow's own (see `parquet`)."""
        if self.is_local:
            return pyarrow.fs.LocalFileSystem()
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(self.filesystem))
