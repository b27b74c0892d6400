"""Large columns of a shard as the encoded pages that lie in its file: they can be packed without being decoded.

Stages write tables with large columns one row a page (`pipeline.store.table_writer.TableWriter`), so any choice of
rows is a choice of pages. A page holds what is needed to decode it (levels, values; no dictionary).
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from pipeline.base.errors import ConfigError
from pipeline.pack import thrift
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.schema import TABLES, is_large
from pipeline.store.table_writer import ONE_ROW_PAGES, PAGES_KEY

DATA_PAGE = 0
LARGE = frozenset(field.name for schema in TABLES.values() for field in schema if is_large(field))


@dataclass(frozen=True, slots=True)
class Page:
    """A data page (version 1) of one row: header and body as they lie in a file."""

    data: memoryview
    unpacked_bytes: int  # with the header, once the body is decompressed
    values: int  # nulls and empty lists included
    encodings: frozenset[int]


class PageReader:
    """The encoded pages of some columns of a Parquet file, with one row group in memory."""

    def __init__(self, corpus: CorpusStore, path: str, metadata: pq.FileMetaData, columns: Iterable[str]):
        self.columns = frozenset(columns)
        self._corpus, self._path, self._metadata = corpus, path, metadata
        self._leaves = [
            i for i in range(metadata.num_columns) if column_of(metadata.schema.column(i).path) in self.columns
        ]
        self._group = -1
        self._pages: dict[str, list[Page]] = {}

    @staticmethod
    def copyable(metadata: pq.FileMetaData) -> bool:
        """Whether the large columns of this file lie on pages of one row, and compressed as we pack them."""
        if (metadata.metadata or {}).get(PAGES_KEY) != ONE_ROW_PAGES:
            return False  # a shard of an earlier version
        leaves = [i for i in range(metadata.num_columns) if column_of(metadata.schema.column(i).path) in LARGE]
        groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
        return all(group.column(i).compression == "ZSTD" for group in groups for i in leaves)

    def row(self, group: int, row: int) -> dict[str, Page]:
        """The pages of one row, by the path of the leaf column.

        Raises:
            ConfigError: the file is damaged.
        """
        if group != self._group:
            self._pages, self._group = self._read(group), group
        return {leaf: pages[row] for leaf, pages in self._pages.items()}

    def _read(self, group: int) -> dict[str, list[Page]]:
        """All pages of the columns in a row group, by one read of the file."""
        chunks = [self._metadata.row_group(group).column(i) for i in self._leaves]
        start = min(chunk.data_page_offset for chunk in chunks)
        end = max(chunk.data_page_offset + chunk.total_compressed_size for chunk in chunks)
        data = memoryview(self._corpus.read_range(self._path, start, end))
        pages = {}
        for chunk in chunks:
            first = chunk.data_page_offset - start
            try:
                found = split_pages(data[first : first + chunk.total_compressed_size])
                if len(found) != self._metadata.row_group(group).num_rows:
                    raise ValueError(f"{len(found)} pages")
            except (ValueError, IndexError, KeyError) as error:
                raise ConfigError(
                    f"{self._path}, column {chunk.path_in_schema} is damaged ({error}): --verify --repair removes it"
                ) from error
            pages[chunk.path_in_schema] = found
        return pages


def column_of(leaf: str) -> str:
    """The column that a leaf (`means.list.element`) belongs to."""
    return leaf.partition(".")[0]


def split_pages(chunk: memoryview) -> list[Page]:
    """The pages of a column chunk, their checksums compared.

    Raises:
        ValueError, IndexError, KeyError: it does not hold data pages with right checksums, end to end.
    """
    pages, at = [], 0
    while at < len(chunk):
        header, body = thrift.decode(chunk, at)
        end = body + header[3][1]
        if header[1][1] != DATA_PAGE or end > len(chunk):
            raise ValueError("not a data page")
        if zlib.crc32(chunk[body:end]) != header[4][1] & 0xFFFFFFFF:
            raise ValueError("a checksum is wrong")
        data_page = header[5][1]
        encodings = frozenset(data_page[field][1] for field in (2, 3, 4))
        pages.append(Page(chunk[at:end], body - at + header[2][1], data_page[1][1], encodings))
        at = end
    return pages


def unpacked_bytes(pages: Iterable[Page]) -> int:
    """Their size once decompressed."""
    return sum(page.unpacked_bytes for page in pages)


def encodings_of(pages: Sequence[Page]) -> list[int]:
    """The encodings in use, by Parquet's numbers."""
    return sorted(frozenset().union(*(page.encodings for page in pages)))
