"""Running the stages that work on the whole corpus: what they did is kept in CORPUS/done/STAGE.json."""

import time
from dataclasses import dataclass
from typing import Any

from pipeline.config import Config
from pipeline.corpus import Corpus
from pipeline.registry import CORPUS_STAGES, SHARD_STAGES, CorpusStageEntry, missing_package
from pipeline.settings import content_hash
from pipeline.stage import Spread


@dataclass(frozen=True)
class CorpusWork:
    """Whether a corpus stage has to run, and the fingerprints that say so."""

    due: bool
    config_hash: str
    inputs: dict[str, str]  # stage it comes after -> fingerprint of what that stage left


def read_done(corpus: Corpus, stage: str) -> dict[str, Any] | None:
    """What a corpus stage left in done/STAGE.json: config_hash, inputs, figures, seconds, code_version, fingerprint."""
    return corpus.read_json("done", f"{stage}.json") if corpus.exists("done", f"{stage}.json") else None


def corpus_work(entry: CorpusStageEntry, config: Config, corpus: Corpus) -> CorpusWork:
    """Compares what the stage was last run on with what is there now."""
    config_hash = content_hash(getattr(config, entry.name).content())
    inputs = {name: _fingerprint(corpus, name) for name in entry.after}
    done = read_done(corpus, entry.name)
    due = done is None or (done["config_hash"], done["inputs"]) != (config_hash, inputs)
    return CorpusWork(due, config_hash, inputs)


def run_corpus_stage(
    entry: CorpusStageEntry, config: Config, corpus: Corpus, code_version: str, spread: Spread
) -> dict[str, Any]:
    """Run the stage and note what it did; returns the note.

    Raises:
        ConfigError: a package is missing, or the stage refuses this corpus.
    """
    work = corpus_work(entry, config, corpus)
    started = time.perf_counter()
    try:
        figures = dict(entry.load()(getattr(config, entry.name), spread).run(corpus))
    except ModuleNotFoundError as error:
        raise missing_package(entry, error) from error
    done = {
        "stage": entry.name,
        "config_hash": work.config_hash,
        "inputs": work.inputs,
        "figures": figures,
        "seconds": round(time.perf_counter() - started, 3),
        "code_version": code_version,
        "fingerprint": content_hash({"config": work.config_hash, "inputs": work.inputs, "figures": figures}),
    }
    corpus.write_json(done, "done", f"{entry.name}.json")
    return done


def _fingerprint(corpus: Corpus, stage: str) -> str:
    """Of all that a stage left in the corpus; empty if it has left nothing."""
    if stage in CORPUS_STAGES:
        done = read_done(corpus, stage)
        return done["fingerprint"] if done else ""
    table = SHARD_STAGES[stage].writes
    shards = corpus.shards(table)
    return content_hash({shard: corpus.shard_record(table, shard)["fingerprint"] for shard in shards}) if shards else ""
