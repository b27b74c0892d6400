"""How the packed objects are dealt to files, and how one file is written."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from pipeline.corpus import Corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.features import with_features
from pipeline.pack.images import changes_views, with_views
from pipeline.pack.join import joined_rows
from pipeline.pack.survey import SPLITS, PackedObject
from pipeline.rows import rows_from_table, table_from_rows
from pipeline.schema import triplets_schema


@dataclass(frozen=True)
class PlannedFile:
    """One Parquet file of a split: its name and what goes in, in order."""

    split: str
    name: str  # SPLIT-00000-of-00012.parquet
    objects: tuple[PackedObject, ...]


def plan_files(objects: Iterable[PackedObject], file_bytes: int) -> list[PlannedFile]:
    """Deal the objects, in the order of the corpus, to files of about `file_bytes`.

    Sizes are those that the rows take in the shards, so names (which carry the number of files) are known before a
    file is written, and files can be written side by side.
    """
    objects = list(objects)
    planned = []
    for split in SPLITS:
        parts = list(_cut([item for item in objects if item.split == split], file_bytes))
        names = [f"{split}-{i:05d}-of-{len(parts):05d}.parquet" for i in range(len(parts))]
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


def write_file(corpus: Corpus, path: str, planned: PlannedFile, config: PackConfig) -> None:
    """Join the planned objects and write them at `path`; memory holds about two row groups."""
    rows = _rows(corpus, planned.objects)
    if changes_views(config):
        rows = (_with_views(row, config) for row in rows)
    with corpus.table_writer(path, with_features(triplets_schema())) as writer:
        for group in _row_groups(rows, config.row_group_bytes):
            writer.write_table(group)


def _rows(corpus: Corpus, objects: Iterable[PackedObject]) -> Iterator[pa.Table]:
    for shard, group in itertools.groupby(objects, key=lambda item: item.shard):
        yield from joined_rows(corpus, shard, [item.uid for item in group])


def _with_views(row: pa.Table, config: PackConfig) -> pa.Table:
    changed = [with_views(joined, config) for joined in rows_from_table(row)]
    return table_from_rows(changed, triplets_schema())


def _row_groups(rows: Iterable[pa.Table], row_group_bytes: int) -> Iterator[pa.Table]:
    """Rows gathered into tables that stay under `row_group_bytes` (or hold a single, larger row)."""
    group, size = [], 0
    for row in rows:
        if group and size + row.nbytes > row_group_bytes:
            yield pa.concat_tables(group).combine_chunks()
            group, size = [], 0
        group.append(row)
        size += row.nbytes
    if group:
        yield pa.concat_tables(group).combine_chunks()
