"""Where the tables and assets of a corpus lie, and how they are read and written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.base.errors import AssetError, ConfigError
from pipeline.store.bucket import read_footer, read_small
from pipeline.store.corpus_files import CorpusFiles
from pipeline.store.index_reader import PLAN_AGAIN, IndexReader, index_reader
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.schema import ERRORS
from pipeline.store.shard_files import shard_file, shard_of
from pipeline.store.shard_record import ShardRecord
from pipeline.store.table_writer import METADATA_KEY, TableWriter
from pipeline.values.names import is_asset_file


class CorpusStore(CorpusFiles):
    """A corpus in a folder or bucket (see `CorpusFiles`)."""

    # Layout

    def shard_path(self, table: str, shard: int) -> str:
        return self.path(table, shard_file(shard))

    def errors_path(self, stage: str, shard: int) -> str:
        return self.path("errors", stage, shard_file(shard))

    def parquet_files(self) -> list[str]:
        """Paths inside the corpus of the Parquet files that lie in its folders (FOLDER/NAME.parquet), in order.

        They are not found by a pattern: the corpus's own path may hold `[`, `*` or `?`.
        """
        folders = [name for name in self.names() if not name.endswith(".parquet")]
        return [f"{folder}/{name}" for folder in folders for name in self.names(folder) if name.endswith(".parquet")]

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
