"""Running the stages that work on the whole corpus: what they did is kept in CORPUS/done/STAGE.json."""

import time
from functools import partial

from pipeline.base.settings import content_hash
from pipeline.stages.config import Config
from pipeline.stages.entries import CorpusStageEntry, missing_package
from pipeline.stages.registry import CORPUS_STAGES, SHARD_STAGES
from pipeline.stages.stage import Spread
from pipeline.state.records import DoneNote, done_path, find_done, missing_files
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.read_ahead import read_ahead


def is_due(entry: CorpusStageEntry, config: Config, corpus: CorpusStore) -> bool:
    """Whether a corpus stage has to run: compares what it was last run on, and what it left, with what is there now."""
    done = find_done(corpus, entry.name)
    if done is None or done.config_hash != _config_hash(entry, config) or missing_files(corpus, done):
        return True
    return done.inputs != _inputs(entry, corpus)


def run_corpus_stage(
    entry: CorpusStageEntry, config: Config, corpus: CorpusStore, code_version: str, spread: Spread
) -> DoneNote:
    """Run the stage and note what it did; returns the note.

    Raises:
        ConfigError: a package is missing, or the stage refuses this corpus.
    """
    config_hash, inputs = _config_hash(entry, config), _inputs(entry, corpus)
    tables = [SHARD_STAGES[name].writes for name in entry.after if name in SHARD_STAGES]
    shards = {table: len(corpus.shards(table)) for table in tables}
    started = time.perf_counter()
    try:
        stage = entry.load()(getattr(config, entry.name), spread)
        figures = dict(stage.run(corpus))
    except ModuleNotFoundError as error:
        raise missing_package(entry, error) from error
    done = DoneNote(
        stage=entry.name,
        config_hash=config_hash,
        inputs=inputs,
        figures=figures,
        seconds=round(time.perf_counter() - started, 3),
        code_version=code_version,
        fingerprint=content_hash({"config": config_hash, "inputs": inputs, "figures": figures}),
        files=tuple(stage.files(corpus)),
        shards=shards,
    )
    corpus.write_record(done, *done_path(entry.name))
    return done


def _config_hash(entry: CorpusStageEntry, config: Config) -> str:
    return content_hash(getattr(config, entry.name).content())


def _inputs(entry: CorpusStageEntry, corpus: CorpusStore) -> dict[str, str]:
    """What the stages that it comes after left: a fingerprint of each."""
    return {name: _fingerprint(corpus, name) for name in entry.after}


def _fingerprint(corpus: CorpusStore, stage: str) -> str:
    """Of all that a stage left in the corpus; empty if it has left nothing."""
    if stage in CORPUS_STAGES:
        done = find_done(corpus, stage)
        return done.fingerprint if done else ""
    table = SHARD_STAGES[stage].writes
    shards = corpus.shards(table)
    records = read_ahead(partial(corpus.shard_record, table), shards, corpus.readers)
    made = {shard: record.fingerprint for shard, record in zip(shards, records, strict=True) if record is not None}
    return content_hash(made) if made else ""
