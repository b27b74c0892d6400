"""How the packed objects are divided among files, and how one file is written."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.pack.config import PackConfig
from pipeline.pack.features import with_features
from pipeline.pack.images import CHANGING, changes_views, with_views
from pipeline.pack.join import Joined, joined_rows
from pipeline.pack.page_writer import PageWriter
from pipeline.pack.survey import PackedObject
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import PackedFile
from pipeline.store.rows import rows_from_table, table_from_rows
from pipeline.store.schema import SPLITS, triplets_schema


@dataclass(frozen=True)
class PlannedFile:
    """One Parquet file of a split: its name and what goes in, in order."""

    split: str
    name: str  # SPLIT-00000-of-00012-GENERATION.parquet
    objects: tuple[PackedObject, ...]

    @property
    def path(self) -> str:
        """Inside the packed folder."""
        return f"{self.split}/{self.name}"


def plan_files(objects: Iterable[PackedObject], file_bytes: int, generation: str) -> list[PlannedFile]:
    """Divide the objects, in the order of the corpus, into files of about `file_bytes`.

    Sizes are those that the rows take in the shards, so names (which carry the number of files) are known before a
    file is written, and files can be written side by side.

    Args:
        generation: part of the names, so that the files of two packings can lie in one folder.
    """
    objects = list(objects)
    planned = []
    for split in SPLITS:
        parts = list(_cut([item for item in objects if item.split == split], file_bytes))
        names = [f"{split}-{i:05d}-of-{len(parts):05d}-{generation}.parquet" for i in range(len(parts))]
        planned += [PlannedFile(split, name, part) for name, part in zip(names, parts, strict=True)]
    return planned


def _cut(objects: list[PackedObject], file_bytes: int) -> Iterator[tuple[PackedObject, ...]]:
    part, size = [], 0
    for item in objects:
        part.append(item)
        size += item.stored_bytes
        if size >= file_bytes:
            yield tuple(part)
            part, size = [], 0
    if part:
        yield tuple(part)


def write_file(corpus: CorpusStore, path: str, planned: PlannedFile, config: PackConfig) -> PackedFile:
    """Join the planned objects and write them at `path`; memory holds about two row groups."""
    with corpus.atomic_file(path) as file, PageWriter(file, with_features(triplets_schema())) as writer:
        for group in _row_groups(_rows(corpus, planned.objects, config), config.row_group_bytes):
            table = pa.concat_tables([row.values for row in group]).combine_chunks()
            writer.write_group(table, {leaf: [row.pages[leaf] for row in group] for leaf in group[0].pages})
    return PackedFile(path=planned.path, rows=len(planned.objects), bytes=writer.bytes, sha256=writer.sha256)


def _rows(corpus: CorpusStore, objects: Iterable[PackedObject], config: PackConfig) -> Iterator[Joined]:
    changing = changes_views(config)
    decoded = CHANGING if changing else frozenset()
    for shard, group in itertools.groupby(objects, key=lambda item: item.shard):
        for row in joined_rows(corpus, shard, [item.uid for item in group], decoded):
            yield replace(row, values=_with_views(row.values, config)) if changing else row


def _with_views(row: pa.Table, config: PackConfig) -> pa.Table:
    changed = [with_views(values, config) for values in rows_from_table(row)]
    return table_from_rows(changed, row.schema)


def _row_groups(rows: Iterable[Joined], row_group_bytes: int) -> Iterator[list[Joined]]:
    """Rows gathered into groups that stay under `row_group_bytes` (or hold a single, larger row).

    The rows of a group have the same columns in pages.
    """
    group: list[Joined] = []
    size = 0
    for row in rows:
        if group and (size + row.nbytes > row_group_bytes or row.pages.keys() != group[0].pages.keys()):
            yield group
            group, size = [], 0
        group.append(row)
        size += row.nbytes
    if group:
        yield group
