"""Planning a corpus, once: index.parquet, unplanned.parquet and corpus.json are written."""

import logging
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.assets.config import AssetsConfig
from pipeline.base.errors import ConfigError
from pipeline.base.settings import content_hash
from pipeline.base.version import code_version
from pipeline.stages.config import Config
from pipeline.state.lineage import differences, with_defaults
from pipeline.state.listing import Listing
from pipeline.state.records import MANIFEST, CorpusManifest, find_manifest, read_manifest
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.leftovers import scratch_folder
from pipeline.store.schema import INDEX, UNPLANNED
from pipeline.store.uid_order import regrouped

logger = logging.getLogger(__name__)

INDEX_GROUP_ROWS = 4096  # so that the rows of one shard are read without the rest of a large index
UNPLANNED_FILE = "unplanned.parquet"
UNPLANNED_GROUP_ROWS = 65_536

# Fields of the assets section that only the stage uses: they may change after the corpus is planned.
_STAGE_FIELDS = frozenset({"max_bytes"})


def planning_content(config: AssetsConfig) -> dict[str, Any]:
    """The settings that decide which objects are in the corpus, in which split and shard."""
    return {name: value for name, value in config.content().items() if name not in _STAGE_FIELDS}


def ensure_planned(corpus: CorpusStore, config: Config) -> CorpusManifest:
    """Plan the corpus if that has not been done, and return its manifest.

    Raises:
        ConfigError: the corpus was planned with other settings, or the source has nothing that can be planned.
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


def count_objects(config: AssetsConfig) -> Listing:
    """What a corpus of this config would be made of; nothing of it is kept.

    Raises:
        ConfigError: the source has nothing that can be planned.
    """
    listing = Listing(config)
    with scratch_folder() as scratch:
        listing.count(scratch)
    return listing


def _plan(corpus: CorpusStore, config: Config, planning: dict[str, Any]) -> CorpusManifest:
    listing = Listing(config.assets)
    with corpus.scratch_folder() as scratch:
        _write_index(corpus, listing, scratch)
    _write_unplanned(corpus, listing)
    stored = config.model_dump(mode="json")
    manifest = CorpusManifest(
        config=stored,
        config_hash=content_hash(stored),
        planning=planning,
        planning_hash=content_hash(planning),
        code_version=code_version(),
        objects=listing.objects,
        splits=dict(listing.splits),
        left_out_licenses=dict(listing.left_out_licenses.most_common()),
        joined_tables=listing.joined_tables,
        left_out_where=listing.left_out_where,
        unplanned=listing.unplanned,
        shards=listing.shards,
    )
    corpus.write_record(manifest, MANIFEST)
    return manifest


def _write_index(corpus: CorpusStore, listing: Listing, scratch: Path) -> None:
    pieces = regrouped(listing.pieces(scratch), INDEX_GROUP_ROWS)
    first = next(pieces)  # a source that has nothing leaves no trace
    holds_secrets = False
    with corpus.table_writer(corpus.path("index.parquet"), INDEX) as writer:
        for piece in chain([first], pieces):
            writer.write_table(piece)
            holds_secrets = holds_secrets or _holds_secrets(piece)
    if holds_secrets and corpus.is_local:  # what is made of it is public; the whole addresses are their owner's
        Path(corpus.path("index.parquet")).chmod(0o600)
        logger.warning("index.parquet holds addresses with passwords or signatures: only its owner may read it")


def _holds_secrets(rows: pa.Table) -> bool:
    from pipeline.assets.fetch.addresses import public

    addresses = rows.column("origin_uri")
    suspects = addresses.filter(pc.match_substring_regex(addresses, "^https?://[^/]*@|[?]"))
    return any(public(address) != address for address in suspects.to_pylist())


def _write_unplanned(corpus: CorpusStore, listing: Listing) -> None:
    """The table of unplanned entries; no file is left where there is none."""
    if not listing.unplanned:
        if corpus.exists(UNPLANNED_FILE):
            corpus.remove(UNPLANNED_FILE)
        return
    rows = listing.unplanned_rows()
    with corpus.table_writer(corpus.path(UNPLANNED_FILE), UNPLANNED) as writer:
        while part := list(islice(rows, UNPLANNED_GROUP_ROWS)):
            writer.write(part)
