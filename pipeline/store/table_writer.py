"""A Parquet file being written: how its columns are stored, and the record in its footer."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import is_large
from pipeline.store.shard_record import ShardRecord

METADATA_KEY = b"clip-gs"  # the shard's record (config hash, counts, seconds) in a Parquet file's footer
PAGES_KEY, ONE_ROW_PAGES = b"clip-gs-pages", b"one row each"  # in the footer of tables with large columns


class TableWriter:
    """A Parquet file being written: zstd, float columns split by bytes, page index, one row group per `write`.

    In a table with large columns every row has pages of its own, so that packing can copy them without decoding. The
    small columns of such a table are not compressed: on pages of one value zstd saves nothing, and to read them takes
    twenty times as long.
    """

    def __init__(self, file: Path | pa.NativeFile, schema: pa.Schema):
        self.schema = schema
        one_row_pages = any(is_large(field) for field in schema)
        split = {f"{field.name}.list.element" for field in schema if (field.metadata or {}).get(b"encoding")}
        strings = [field.name for field in schema if pa.types.is_string(field.type)]
        self._writer = pq.ParquetWriter(
            file,
            schema,
            compression=dict.fromkeys(_large_leaves(schema), "zstd") if one_row_pages else "zstd",
            use_dictionary=strings,
            column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT") or None,
            write_page_index=True,
            write_page_checksum=True,
            write_statistics=[field.name for field in schema if not pa.types.is_nested(field.type)],
            max_rows_per_page=1 if one_row_pages else None,
        )
        if one_row_pages:
            self._writer.add_key_value_metadata({PAGES_KEY: ONE_ROW_PAGES})

    def write(self, rows: list[Row]) -> None:
        """Append `rows` as one row group."""
        self.write_table(table_from_rows(rows, self.schema))

    def write_table(self, table: pa.Table) -> None:
        """Append an Arrow table of this schema as one row group."""
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def set_record(self, record: ShardRecord) -> None:
        """Note the shard's record in the footer (read back by `CorpusStore.shard_record`)."""
        self._writer.add_key_value_metadata({METADATA_KEY: json.dumps(record.as_json(), sort_keys=True).encode()})

    def close(self) -> None:
        self._writer.close()


def _large_leaves(schema: pa.Schema) -> list[str]:
    """Paths of the leaves of all large columns: means.list.element, images.list.element.bytes, …"""
    return [leaf for field in schema if is_large(field) for leaf in _leaves(field.name, field.type)]


def _leaves(path: str, data_type: pa.DataType) -> list[str]:
    if pa.types.is_list(data_type):
        return _leaves(f"{path}.list.element", data_type.value_type)
    if pa.types.is_struct(data_type):
        return [leaf for field in data_type for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return [path]
