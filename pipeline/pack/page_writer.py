"""A Parquet file made of pages that are encoded already, and of columns that still have to be.

pyarrow encodes the latter (in memory, one row group at a time) and everything about the schema; this writer puts the
pages one after the other and keeps account: offsets in the footer, and the page index. Numbers of fields and enums
are those of parquet.thrift (apache/parquet-format).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.pack.pages import Page, column_of, encodings_of, unpacked_bytes
from pipeline.pack.thrift import BINARY, I16, I32, I64, LIST, STRUCT, Struct, decode, encode
from pipeline.store.table_writer import TableWriter

MAGIC = b"PAR1"
ZSTD = 6


class PageWriter:
    """Writes one file, front to back; `sha256` and `bytes` are those of the file once it is closed."""

    def __init__(self, path: Path, schema: pa.Schema):
        self.bytes = 0
        self._schema = schema
        self._digest = hashlib.sha256()
        self._file = path.open("wb")
        self._footer, _, self._leaves = _encoded(schema.empty_table())
        # A schema element without children is a leaf; field 1 is its physical type.
        elements = [element for element in self._footer[2][1][1] if 5 not in element]
        self._types = dict(zip(self._leaves, (element[1][1] for element in elements), strict=True))
        self._groups: list[Struct] = []
        self._indexes: list[tuple[Struct, bytes | None, Struct]] = []  # chunk, column index, offset index
        self._write(MAGIC)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write_group(self, table: pa.Table, pages: Mapping[str, Sequence[Page]]) -> None:
        """Append a row group.

        Args:
            table: the columns that are to be encoded.
            pages: the leaves of all other columns: a page for every row of the table.
        """
        footer, buffer, leaves = _encoded(table)
        encoded = dict(zip(leaves, footer[4][1][1][0][1][1][1], strict=True))
        start = self.bytes
        chunks = []
        for leaf in self._leaves:
            if column_of(leaf) in table.schema.names:
                chunks.append(self._append_chunk(encoded[leaf], buffer))
            else:
                chunks.append(self._append_pages(leaf, pages[leaf]))
        metadata = [chunk[3][1] for chunk in chunks]
        self._groups.append(
            {
                1: (LIST, (STRUCT, chunks)),
                2: (I64, sum(chunk[6][1] for chunk in metadata)),
                3: (I64, table.num_rows),
                5: (I64, start),
                6: (I64, sum(chunk[7][1] for chunk in metadata)),
                7: (I16, len(self._groups)),
            }
        )

    def close(self) -> None:
        """Write page index and footer."""
        for chunk, column_index, _ in self._indexes:
            if column_index is not None:
                chunk |= {6: (I64, self.bytes), 7: (I32, len(column_index))}
                self._write(column_index)
        for chunk, _, offset_index in self._indexes:
            data = encode(offset_index)
            chunk |= {4: (I64, self.bytes), 5: (I32, len(data))}
            self._write(data)
        rows = sum(group[3][1] for group in self._groups)
        footer = encode(self._footer | {3: (I64, rows), 4: (LIST, (STRUCT, self._groups))})
        self._write(footer)
        self._write(len(footer).to_bytes(4, "little") + MAGIC)
        self._file.close()

    def __enter__(self) -> "PageWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        self._file.close()

    def _append_chunk(self, chunk: Struct, buffer: memoryview) -> Struct:
        """Copy a column chunk, with dictionary, out of a file in memory."""
        metadata = chunk[3][1]
        first = min(metadata[field][1] for field in (9, 11) if field in metadata)  # data pages, dictionary page
        moved = self.bytes - first
        self._write(buffer[first : first + metadata[7][1]])
        offsets = {field: (I64, metadata[field][1] + moved) for field in (9, 11) if field in metadata}
        offset_index, _ = decode(buffer, chunk[4][1])
        for location in offset_index[1][1][1]:
            location[1] = (I64, location[1][1] + moved)
        column_index = bytes(buffer[chunk[6][1] : chunk[6][1] + chunk[7][1]]) if 6 in chunk else None
        copied: Struct = {2: (I64, 0), 3: (STRUCT, metadata | offsets)}
        self._indexes.append((copied, column_index, offset_index))
        return copied

    def _append_pages(self, leaf: str, pages: Sequence[Page]) -> Struct:
        """Write pages of one row each as a column chunk."""
        start, locations = self.bytes, []
        for row, page in enumerate(pages):
            locations.append({1: (I64, self.bytes), 2: (I32, len(page.data)), 3: (I64, row)})
            self._write(page.data)
        metadata: Struct = {
            1: (I32, self._types[leaf]),
            2: (LIST, (I32, encodings_of(pages))),
            3: (LIST, (BINARY, [part.encode() for part in leaf.split(".")])),
            4: (I32, ZSTD),
            5: (I64, sum(page.values for page in pages)),
            6: (I64, unpacked_bytes(pages)),
            7: (I64, self.bytes - start),
            9: (I64, start),
        }
        chunk: Struct = {2: (I64, 0), 3: (STRUCT, metadata)}
        self._indexes.append((chunk, None, {1: (LIST, (STRUCT, locations))}))
        return chunk

    def _write(self, data: memoryview | bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)


def _encoded(table: pa.Table) -> tuple[Struct, memoryview, list[str]]:
    """A Parquet file of the table as one row group: footer, all bytes, and the paths of its leaves."""
    sink = pa.BufferOutputStream()
    writer = TableWriter(sink, table.schema)
    writer.write_table(table)
    writer.close()
    data = memoryview(sink.getvalue()).cast("B")
    size = int.from_bytes(data[-8:-4], "little")
    footer, _ = decode(data, len(data) - 8 - size)
    return footer, data, _leaf_paths(footer[2][1][1])


def _leaf_paths(elements: Sequence[Struct]) -> list[str]:
    """Paths of the leaves of a schema, which Parquet stores as a list of its tree's nodes, depth first."""
    nodes = iter(elements)
    paths: list[str] = []

    def visit(prefix: list[str]) -> None:
        element = next(nodes)
        path = [*prefix, element[4][1].decode()]
        if 5 not in element:
            paths.append(".".join(path))
        for _ in range(element[5][1] if 5 in element else 0):
            visit(path)

    for _ in range(next(nodes)[5][1]):  # the first is the root, which has no place in a path
        visit([])
    return paths
