"""The first pass over a corpus: which objects are packed, which are left out and why, and facts for the card."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from pipeline.corpus import METADATA_KEY, Corpus
from pipeline.errors import ConfigError
from pipeline.pack.config import PackConfig
from pipeline.pack.gates import Gate, gate_columns, gates
from pipeline.rows import Row, rows_from_table
from pipeline.schema import TRIPLET_TABLES
from pipeline.settings import content_hash
from pipeline.shard_reader import TableReader
from pipeline.version import code_version

SPLITS = ("train", "val", "heldout")

# Columns of which the card lists the values with counts, and those of which it gives quantiles; by table.
COUNTED = {
    "assets": ("source", "license", "category"),
    "captions": ("caption_source",),
    "views": ("engine", "shading", "samples", "width", "height"),
    "gaussians": ("rasterize_mode", "eps2d", "iterations", "backend"),
    "embeddings": ("encoder", "dim"),
}
MEASURED = {"views": ("coverage",), "gaussians": ("num_gaussians", "psnr", "ssim", "psnr_object")}


@dataclass(frozen=True)
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
    left_out: Counter = field(default_factory=Counter)  # reason -> objects
    counts: defaultdict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))  # column -> value -> packed
    measures: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # column -> packed
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
            self.measures.setdefault("caption_score", []).append(max(row["scores"]))


def survey_corpus(corpus: Corpus, config: PackConfig) -> Survey:
    """Read the small columns of every shard and let each object through the gates.

    An object without a row in one of the joined tables (it failed there, or is not done yet) counts as
    `missing_TABLE`, the first table that lacks it.

    Raises:
        ConfigError: an object has a split that is none.
    """
    survey = Survey()
    with corpus.parquet(corpus.path("index.parquet")) as file:
        survey.objects = file.metadata.num_rows
    chosen, columns, assets = gates(config), gate_columns(config), 0
    for shard in corpus.shards("assets"):
        assets += _survey_shard(corpus, shard, chosen, columns, survey)
    if survey.objects > assets:
        survey.left_out["missing_assets"] = survey.objects - assets
    return survey


def _survey_shard(
    corpus: Corpus, shard: int, chosen: Mapping[str, Gate], columns: Mapping[str, tuple[str, ...]], survey: Survey
) -> int:
    """Adds one shard to the survey; returns the number of its assets."""
    present = [name for name in TRIPLET_TABLES if corpus.exists(name, f"{shard:05d}.parquet")]
    with ExitStack() as stack:
        tables = {
            name: stack.enter_context(closing(TableReader(corpus, corpus.shard_path(name, shard)))) for name in present
        }
        for name, table in tables.items():
            record = (table.metadata.metadata or {}).get(METADATA_KEY, b"")
            survey.records.update(f"{name} {shard} {len(record)} ".encode() + record)
        rows = _whole_rows(tables, columns, survey)
        for reason, gate in chosen.items():
            passed = gate(rows)
            if not all(passed):
                survey.left_out[reason] += len(rows) - sum(passed)
            rows = [row for row, passes in zip(rows, passed, strict=True) if passes]
        for row in rows:
            if row["split"] not in SPLITS:
                raise ConfigError(f"object {row['uid']}: split {row['split']!r} is none of {', '.join(SPLITS)}")
            stored = sum(table.stored_bytes(row["uid"]) for table in tables.values())
            survey.packed.append(PackedObject(row["uid"], shard, row["split"], stored))
            survey.note(row)
        return len(tables["assets"].uids)


def _whole_rows(tables: Mapping[str, TableReader], columns: Mapping[str, tuple[str, ...]], survey: Survey) -> list[Row]:
    """The columns that gates and card look at, of the objects that every table has; the others are counted."""
    small = {}
    for name, table in tables.items():
        wanted = {"uid", *columns[name], *COUNTED.get(name, ()), *MEASURED.get(name, ())}
        wanted |= {"split"} if name == "assets" else set()
        small[name] = {row["uid"]: row for row in rows_from_table(table.columns(sorted(wanted)))}
    rows = []
    for uid in tables["assets"].uids:
        missing = next((name for name in TRIPLET_TABLES if uid not in small.get(name, ())), None)
        if missing:
            survey.left_out[f"missing_{missing}"] += 1
        else:
            rows.append({column: value for name in TRIPLET_TABLES for column, value in small[name][uid].items()})
    return rows


def _names(columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [name for names in columns.values() for name in names]
