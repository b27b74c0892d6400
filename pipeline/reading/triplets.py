"""The packed triplets of a corpus, or of a downloaded copy of its `triplets` folder: one split of them, or all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.dataset as ds

from pipeline.reading.objects import CorpusObject
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import FOLDER, find_packed_manifest
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.schema import SPLITS, triplets_schema


@dataclass(frozen=True)
class RowGroup:
    """A row group of one of the packed files."""

    path: str
    number: int  # in its file
    rows: int


class Triplets:
    """The objects of one split, or of all, in the order of the files. Iterating reads one row group at a time."""

    def __init__(self, corpus: CorpusStore, split: str | None = None):
        """
        Args:
            split: train, val or heldout; None: all of them. A split of which nothing is packed has no files.
        """
        self.corpus = corpus
        self.split = split
        self.files = _packed_files(corpus, split)

    @cached_property
    def row_groups(self) -> list[RowGroup]:
        """The row groups of all files; reads their footers."""
        groups = []
        for path in self.files:
            with self.corpus.parquet(path) as file:
                counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            groups += [RowGroup(path, number, count) for number, count in enumerate(counts)]
        return groups

    def __len__(self) -> int:
        return self.dataset().count_rows() if self.files else 0

    def __iter__(self) -> Iterator[CorpusObject]:
        return self.read()

    def read(self, columns: Sequence[str] | None = None) -> Iterator[CorpusObject]:
        """The objects in the order of the files; with `columns`, only those (and `uid`) are in their rows."""
        return map(CorpusObject, self.rows(None if columns is None else list(dict.fromkeys(["uid", *columns]))))

    def rows(self, columns: Sequence[str] | None = None, rank: int = 0, ranks: int = 1) -> Iterator[Row]:
        """The rows of part `rank` of `ranks` (see `part`); row groups of other parts are not read."""
        wanted = None if columns is None else list(columns)
        mine = part(range(len(self)), rank, ranks) if ranks > 1 else None
        start = 0
        for path in self.files:
            with self.corpus.parquet(path) as file:
                for number in range(file.num_row_groups):
                    end = start + file.metadata.row_group(number).num_rows
                    first, last = (start, end) if mine is None else (max(start, mine.start), min(end, mine.stop))
                    if first < last:
                        table = file.read_row_group(number, columns=wanted)
                        yield from rows_from_table(table.slice(first - start, last - first))
                    start = end

    def find(self, uid: str) -> Row | None:
        """The row of one object, with every column of the schema; None where it is not packed."""
        if not self.files:
            return None
        found = self._dataset(triplets_schema()).to_table(filter=ds.field("uid") == uid)
        return rows_from_table(found)[0] if found.num_rows else None

    def dataset(self) -> ds.Dataset:
        """The files as a pyarrow dataset: filters, projections, batches."""
        return self._dataset(None)

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of all objects."""
        return self.dataset().to_table(columns=list(columns))

    def _dataset(self, schema: pa.Schema | None) -> ds.Dataset:
        return ds.dataset(self.files, schema, "parquet", self.corpus.arrow_filesystem())


def part(whole: range, number: int, parts: int) -> range:
    """Part `number` (from 0) of contiguous parts of `whole`, which cover it and differ by at most one."""
    return whole[len(whole) * number // parts : len(whole) * (number + 1) // parts]


def _packed_files(corpus: CorpusStore, split: str | None) -> list[str]:
    """Paths of the packed files: those that the manifest names or, where there is none, all."""
    folder = [FOLDER] if corpus.exists(FOLDER) else []  # else this is a copy of that folder
    manifest = find_packed_manifest(corpus, *folder)
    if manifest is None:
        folders = [(*folder, name) for name in (SPLITS if split is None else [split])]
        files = [(*one, name) for one in folders for name in corpus.names(*one)]
        return [corpus.path(*file) for file in files if file[-1].endswith(".parquet")]
    return [corpus.path(*folder, file.path) for file in manifest.files if split in (None, file.path.split("/")[0])]
