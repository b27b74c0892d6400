"""The first pass over a corpus: which objects are packed, which are left out and why, and figures for the card."""

import hashlib
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.base.errors import ConfigError
from pipeline.base.settings import content_hash
from pipeline.base.version import code_version
from pipeline.pack.config import PackConfig
from pipeline.pack.gates import Gate, gate_columns, gates
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.read_ahead import read_ahead
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.schema import SPLITS, TRIPLET_TABLES
from pipeline.store.shard_reader import TableReader
from pipeline.store.table_writer import METADATA_KEY

# Columns of which the card lists the values with counts, and those of which it gives quantiles; by table.
COUNTED = {
    "assets": ("source", "license", "category"),
    "captions": ("caption_source",),
    "views": ("engine", "shading", "samples", "width", "height"),
    "gaussians": ("rasterize_mode", "eps2d", "iterations", "backend"),
    "embeddings": ("encoder", "dim"),
}
MEASURED = {"views": ("coverage",), "gaussians": ("num_gaussians", "psnr", "ssim", "psnr_object")}


@dataclass(frozen=True, slots=True)  # a corpus may have millions
class PackedObject:
    """One object that is packed."""

    uid: str
    shard: int
    split: str
    stored_bytes: int  # about: what its rows take in the shards


@dataclass
class Survey:
    """What the first pass found."""

    objects: int = 0  # planned, whatever became of them
    packed: list[PackedObject] = field(default_factory=list)  # in the order of the corpus
    left_out: Counter[str] = field(default_factory=Counter)  # reason -> objects
    counts: defaultdict[str, Counter[Any]] = field(
        default_factory=lambda: defaultdict(Counter)
    )  # column -> value -> packed
    measures: defaultdict[str, "array[float]"] = field(
        default_factory=lambda: defaultdict(_numbers)
    )  # column -> packed
    records: Any = field(default_factory=hashlib.sha256)  # of what the stages noted of all shards, as they come

    def generation(self, config: PackConfig) -> str:
        """A short name for what is packed: another corpus, config or version of the code gives another."""
        return content_hash([self.records.hexdigest(), config.content(), code_version()])[:8]

    def note(self, row: Mapping[str, Any]) -> None:
        """Count the row of a packed object."""
        for column in _names(COUNTED):
            self.counts[column][row[column]] += 1
        for column in _names(MEASURED):
            self.measures[column].append(row[column])
        if len(row["scores"]):
            self.measures["caption_score"].append(max(row["scores"]))


def survey_corpus(corpus: CorpusStore, config: PackConfig) -> Survey:
    """Read the small columns of every shard and let each object through the gates.

    An object without a row in one of the joined tables (it failed there, or is not done yet) counts as
    `missing_TABLE`, the first table that lacks it.

    Raises:
        ConfigError: an object has an unknown split.
    """
    survey = Survey()
    with corpus.parquet(corpus.path("index.parquet")) as file:
        survey.objects = file.metadata.num_rows
    chosen, assets = gates(config), 0
    read = partial(_read_shard, corpus, columns=_columns(config))
    with closing(read_ahead(read, corpus.shards("assets"), corpus.readers)) as shards:
        for shard in shards:
            _survey_shard(shard, chosen, survey)
            assets += len(shard.tables["assets"].rows)
    if survey.objects > assets:
        survey.left_out["missing_assets"] = survey.objects - assets
    return survey


@dataclass(frozen=True)
class _Table:
    """What is read of one table of a shard."""

    record: bytes  # what its stage noted of it
    rows: dict[str, Row]  # by uid: the columns that gates and card look at
    stored_bytes: dict[str, int]


@dataclass(frozen=True)
class _Shard:
    number: int
    tables: dict[str, _Table]  # those that are there, in the order of TRIPLET_TABLES


def _read_shard(corpus: CorpusStore, shard: int, columns: Mapping[str, list[str]]) -> _Shard:
    tables = {name: _read_table(corpus, name, shard, columns[name]) for name in TRIPLET_TABLES}
    return _Shard(shard, {name: table for name, table in tables.items() if table is not None})


def _read_table(corpus: CorpusStore, name: str, shard: int, columns: list[str]) -> _Table | None:
    try:
        with closing(TableReader(corpus, corpus.shard_path(name, shard))) as table:
            rows = {row["uid"]: row for row in rows_from_table(table.columns(columns))}
            stored = {uid: table.stored_bytes(uid) for uid in rows}
            return _Table((table.metadata.metadata or {}).get(METADATA_KEY, b""), rows, stored)
    except FileNotFoundError:
        return None


def _survey_shard(shard: _Shard, chosen: Mapping[str, Gate], survey: Survey) -> None:
    """Adds one shard to the survey."""
    for name, table in shard.tables.items():
        survey.records.update(f"{name} {shard.number} {len(table.record)} ".encode() + table.record)
    rows = _whole_rows(shard, survey)
    for reason, gate in chosen.items():
        passed = gate(rows)
        if not all(passed):
            survey.left_out[reason] += len(rows) - sum(passed)
        rows = [row for row, passes in zip(rows, passed, strict=True) if passes]
    for row in rows:
        if row["split"] not in SPLITS:
            raise ConfigError(f"object {row['uid']}: split {row['split']!r} is not one of {', '.join(SPLITS)}")
        stored = sum(table.stored_bytes[row["uid"]] for table in shard.tables.values())
        survey.packed.append(PackedObject(row["uid"], shard.number, sys.intern(row["split"]), stored))
        survey.note(row)


def _whole_rows(shard: _Shard, survey: Survey) -> list[Row]:
    """The rows of the objects that every table has, joined; the others are counted."""
    rows = []
    for uid in shard.tables["assets"].rows:
        row: Row = {}
        for name in TRIPLET_TABLES:
            if name not in shard.tables or uid not in shard.tables[name].rows:
                survey.left_out[f"missing_{name}"] += 1
                break
            row |= shard.tables[name].rows[uid]
        else:
            rows.append(row)
    return rows


def _columns(config: PackConfig) -> dict[str, list[str]]:
    """The columns that gates and card look at, by table."""
    wanted = {name: {"uid", *names} for name, names in gate_columns(config).items()}
    for name in wanted:
        wanted[name] |= {*COUNTED.get(name, ()), *MEASURED.get(name, ())}
    wanted["assets"].add("split")
    return {name: sorted(names) for name, names in wanted.items()}


def _numbers() -> "array[float]":
    return array("d")


def _names(columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [name for names in columns.values() for name in names]
