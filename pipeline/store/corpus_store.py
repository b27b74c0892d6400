"""Where everything in a corpus is, and how it is read and written: atomically, on a local disk or in a bucket."""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.base.errors import AssetError, ConfigError
from pipeline.store.bucket import OPTIONS, READERS, BucketFile, abort_old_uploads, reaching, read_footer, read_small
from pipeline.store.index_reader import PLAN_AGAIN, IndexReader, index_reader
from pipeline.store.leftovers import SCRATCH, owned_name, remove_dead, scratch_folder
from pipeline.store.record import Record
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.schema import ERRORS
from pipeline.store.shard_files import shard_file, shard_of
from pipeline.store.shard_record import ShardRecord
from pipeline.store.table_writer import METADATA_KEY, TableWriter
from pipeline.values.names import is_asset_file

AnyRecord = TypeVar("AnyRecord", bound=Record)

CHUNK = 1 << 22  # bytes that are read at once of a large file
TEMPORARY = ".tmp"  # folder of files in the making, on a local disk


class CorpusStore:
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
        return isinstance(other, CorpusStore) and (self.root, self.filesystem) == (other.root, other.filesystem)

    def __hash__(self) -> int:
        return hash(self.root)

    # Layout

    def path(self, *parts: str) -> str:
        """Absolute path (in the corpus's filesystem) of something inside the corpus.

        Raises:
            ConfigError: it would leave the corpus: what a table or a manifest names may be anything.
        """
        inner = "/".join(parts)
        if ".." in inner.split("/"):
            raise ConfigError(f"{inner[:200]!r} would leave the corpus {self.uri}: its tables are damaged or hostile")
        return f"{self.root.rstrip('/')}/{inner}" if parts else self.root.rstrip("/")

    def shard_path(self, table: str, shard: int) -> str:
        return self.path(table, shard_file(shard))

    def errors_path(self, stage: str, shard: int) -> str:
        return self.path("errors", stage, shard_file(shard))

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

    def parquet_files(self) -> list[str]:
        """Paths inside the corpus of the Parquet files that lie in its folders (FOLDER/NAME.parquet), in order.

        They are not found by a pattern: the corpus's own path may hold `[`, `*` or `?`.
        """
        folders = [name for name in self.names() if not name.endswith(".parquet")]
        return [f"{folder}/{name}" for folder in folders for name in self.names(folder) if name.endswith(".parquet")]

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

    # The index

    def index(self) -> IndexReader:
        """index.parquet by shards, as it is now.

        Raises:
            ConfigError: it is gone, or damaged.
        """
        path = self.path("index.parquet")
        try:
            with self._reaching(path):
                version: str = self.filesystem.ukey(path)
        except FileNotFoundError as error:
            raise ConfigError(f"{path} cannot be read ({error}): {PLAN_AGAIN}") from error
        return index_reader(path, version, partial(self.parquet, path))

    def read_index(self, columns: list[str] | None = None, shard: int | None = None) -> list[Row]:
        """Rows of index.parquet, in its order: all of them (a corpus may have millions) or those of one shard.

        Raises:
            ConfigError: it is gone, or damaged.
        """
        return self.index().rows(columns, shard)

    # Tables

    @contextmanager
    def table_writer(self, path: str, schema: pa.Schema) -> Iterator[TableWriter]:
        """Writes a Parquet file batch by batch; nothing is there until the block succeeds."""
        with self.atomic_file(path) as file:
            writer = TableWriter(file, schema)
            try:
                yield writer
            finally:
                writer.close()

    def read_rows(self, table: str, shard: int, columns: list[str] | None = None) -> list[Row]:
        """All rows of one shard of a small table, in the shard's order."""
        with self.parquet(self.shard_path(table, shard)) as parquet:
            return rows_from_table(parquet.read(columns))

    def read_errors(self, stage: str, shard: int) -> list[Row]:
        """The shard's failures in `stage`; empty where there is no errors file."""
        path = self.errors_path(stage, shard)
        try:
            with self.parquet(path) if self.is_local else read_small(self.filesystem, path) as parquet:
                return rows_from_table(parquet.read(use_threads=False))
        except FileNotFoundError:
            return []

    def write_errors(self, stage: str, shard: int, rows: list[Row]) -> None:
        """Replace the shard's failures in `stage`; no file is left where there is none."""
        path = self.errors_path(stage, shard)
        if rows:
            with self.table_writer(path, ERRORS) as writer:
                writer.write(rows)
        elif self.exists("errors", stage, shard_file(shard)):
            self.remove("errors", stage, shard_file(shard))

    def shard_record(self, table: str, shard: int) -> ShardRecord | None:
        """What the runner noted in the footer of a finished shard; None if the shard is not there.

        Raises:
            ConfigError: the file is damaged, or has no such record.
        """
        path = self.shard_path(table, shard)
        try:
            footer = pq.read_metadata(path) if self.is_local else read_footer(self.filesystem, path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read ({error}): if it is damaged, --repair removes it") from error
        content = (footer.metadata or {}).get(METADATA_KEY)
        if content is None:
            raise ConfigError(f"{path} has no record of how it was made: {ShardRecord.cure}")
        try:
            return ShardRecord.parse(content)
        except ValueError as error:
            raise ConfigError(f"{path} has a damaged record ({error}): {ShardRecord.cure}") from error

    def shards(self, table: str) -> list[int]:
        """Numbers of the finished shards of a table, ascending."""
        return sorted(shard for name in self.names(table) if (shard := shard_of(name)) is not None)

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

    # Asset files

    def put_asset(self, local: Path, sha256: str, suffix: str) -> str:
        """Store a file under its content's hash; returns its path inside the corpus."""
        relative = f"assets/files/{sha256[:2]}/{sha256}.{suffix}"
        if not self.exists(relative):
            with self.atomic_file(self.path(relative)) as file:
                shutil.copyfile(local, file)
        return relative

    def asset_bytes(self) -> int:
        """What all stored asset files take; lists every one."""
        folder = self.path("assets", "files")
        with self._reaching(folder):
            return self.filesystem.du(folder) if self.filesystem.exists(folder) else 0

    def get_asset(self, relative: str, local: Path) -> None:
        """Copy a stored asset file to a local path.

        Raises:
            AssetError: `relative`, which stands in a table, is not the path of an asset file.
        """
        if not is_asset_file(relative):
            raise AssetError(f"its row names the file {relative[:200]!r}, which is not one of assets/files/")
        path = self.path(relative)
        with self._reaching(path):
            self.filesystem.get_file(path, str(local))
