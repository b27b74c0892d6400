"""Planning a corpus, once: which objects it is made of, their splits and shards (index.parquet, corpus.json)."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.assets.config import AssetsConfig
from pipeline.base.errors import ConfigError
from pipeline.base.settings import content_hash
from pipeline.base.version import code_version
from pipeline.stages.config import Config
from pipeline.state.lineage import differences, with_defaults
from pipeline.state.records import MANIFEST, CorpusManifest, find_manifest, read_manifest
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import INDEX

logger = logging.getLogger(__name__)

INDEX_GROUP_ROWS = 4096  # so that the rows of one shard are read without the rest of a large index
ROWS_AT_ONCE = 10_000  # of the source, as Python objects

# Fields of the assets section that only the stage uses: they may change after the corpus is planned.
_STAGE_FIELDS = frozenset({"max_bytes"})
# Stages name files after the uid.
_SAFE_UID = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True)
class Listing:
    """The objects of a corpus that is being planned."""

    index: pa.Table  # rows of index.parquet
    left_out: dict[str, int]  # objects that `assets.licenses` keeps out, by licence

    @property
    def shards(self) -> int:
        last: int = self.index.column("shard")[-1].as_py()
        return last + 1


def planning_content(config: AssetsConfig) -> dict[str, Any]:
    """The settings that decide which objects are in the corpus, in which split and shard."""
    return {name: value for name, value in config.content().items() if name not in _STAGE_FIELDS}


def ensure_planned(corpus: CorpusStore, config: Config) -> CorpusManifest:
    """Plan the corpus if that has not been done, and return its manifest.

    Raises:
        ConfigError: the corpus was planned with other settings, the source has nothing, or gives a bad uid.
    """
    manifest = find_manifest(corpus)
    planning = planning_content(config.assets)
    if manifest is None:
        return _plan(corpus, config, planning)
    planned = with_defaults({"assets": manifest.planning})["assets"]
    changed = differences({"assets": planned}, {"assets": planned | planning})
    if changed:
        raise ConfigError(f"corpus {corpus.uri} was planned with other settings ({changed}): choose another --corpus")
    return manifest


def keep_config(corpus: CorpusStore, config: Config, stages: Iterable[str]) -> None:
    """Make `config` the stored one, the default of later runs, as far as the sections of `stages` go."""
    manifest = read_manifest(corpus)
    new = config.model_dump(mode="json")
    stored = {**manifest.config, **{name: new[name] for name in stages}}
    if stored != manifest.config:
        changed = {"config": stored, "config_hash": content_hash(stored)}
        corpus.write_record(manifest.model_copy(update=changed), MANIFEST)


def _plan(corpus: CorpusStore, config: Config, planning: dict[str, Any]) -> CorpusManifest:
    listing = list_objects(config.assets)
    with corpus.table_writer(corpus.path("index.parquet"), INDEX) as writer:
        for start in range(0, listing.index.num_rows, INDEX_GROUP_ROWS):
            writer.write_table(listing.index.slice(start, INDEX_GROUP_ROWS))
    stored = config.model_dump(mode="json")
    manifest = CorpusManifest(
        config=stored,
        config_hash=content_hash(stored),
        planning=planning,
        planning_hash=content_hash(planning),
        code_version=code_version(),
        objects=listing.index.num_rows,
        left_out_licenses=listing.left_out,
        shards=listing.shards,
    )
    corpus.write_record(manifest, MANIFEST)
    return manifest


def list_objects(config: AssetsConfig) -> Listing:
    """The rows of the index: the source's rows, drawn, split, sorted by uid and cut into shards.

    Raises:
        ConfigError: the source has nothing (of an allowed licence), gives a uid twice or one that cannot name a file.
    """
    from pipeline.assets.sources import make_source  # reads archives: not needed to answer --help

    left_out: Counter[str] = Counter()
    rows = _allowed(make_source(config).plan(), config.licenses, left_out)
    # Of a source of millions, no more is held in memory than is taken, and that as Arrow columns.
    if config.limit:
        rows = iter(nsmallest(config.limit, rows, key=lambda row: _digest(row["uid"])))
    tables = []
    while part := list(islice(rows, ROWS_AT_ONCE)):
        tables.append(table_from_rows([_split(row, config) for row in part], INDEX))
    counts = ", ".join(f"{count} of '{license_}'" for license_, count in left_out.most_common())
    if not tables:
        but = f" but {counts}, which assets.licenses excludes" if left_out else ""
        raise ConfigError(f"assets: source {config.source!r} finds no asset in assets.path {config.path!r}{but}")
    if left_out:
        logger.warning("assets.licenses excludes %d objects: %s", left_out.total(), counts)
    index = _sorted(pa.concat_tables(tables))
    _check_unique(index)
    shards = pa.array(np.arange(index.num_rows, dtype=np.int32) // config.shard_size)
    place = INDEX.get_field_index("shard")
    return Listing(index.set_column(place, INDEX.field(place), shards), dict(left_out.most_common()))


def _split(row: Row, config: AssetsConfig) -> Row:
    """A row of the source as one of the index, whose shard is not known yet."""
    if not _SAFE_UID.fullmatch(row["uid"]):
        raise ConfigError(f"assets: {row['origin_uri']}: the uid {row['uid']!r} cannot be a file name")
    return {"annotations": ""} | row | {"shard": None, "split": row["split"] or split_of(row["uid"], config)}


def _sorted(index: pa.Table) -> pa.Table:
    """The rows by uid, in pieces whose strings stay far from the 2 GB that one Arrow array can hold."""
    order = pc.sort_indices(index, sort_keys=[("uid", "ascending")])
    wide = index.cast(pa.schema([field.with_type(_wide(field.type)) for field in INDEX])).combine_chunks()
    starts = range(0, index.num_rows, INDEX_GROUP_ROWS)
    return pa.concat_tables(wide.take(order.slice(start, INDEX_GROUP_ROWS)).cast(INDEX) for start in starts)


def _wide(data_type: pa.DataType) -> pa.DataType:
    """The same type without that limit."""
    if pa.types.is_list(data_type):
        return pa.large_list(_wide(data_type.value_type))
    return pa.large_string() if pa.types.is_string(data_type) else data_type


def split_of(uid: str, config: AssetsConfig) -> str:
    """The split that the uid's hash falls into; it depends on nothing but the uid and the fractions."""
    place = int.from_bytes(_digest(f"split:{uid}")[:8], "big") / 2**64
    if place < config.val_fraction:
        return "val"
    return "heldout" if place < config.val_fraction + config.heldout_fraction else "train"


def _allowed(rows: Iterable[Row], licenses: str, left_out: Counter[str]) -> Iterator[Row]:
    """The rows of allowed licences; the others are counted."""
    allowed = {name.strip().casefold() for name in licenses.split(",") if name.strip()}
    for row in rows:
        if not allowed or row["license"].strip().casefold() in allowed:
            yield row
        else:
            left_out[row["license"]] += 1


def _check_unique(index: pa.Table) -> None:
    """Raises ConfigError if two rows, which are neighbours then, have one uid."""
    uids = index.column("uid")
    twice = pc.index(pc.equal(uids.slice(1), uids.slice(0, index.num_rows - 1)), True).as_py()
    if twice >= 0:
        first, second = index.slice(twice, 2).select(["uid", "origin_uri"]).to_pylist()
        raise ConfigError(
            f"assets: two assets have the uid {first['uid']!r}: {first['origin_uri']} and {second['origin_uri']}"
        )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
