"""A corpus of the fake stages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.assets.sources import SOURCES
from pipeline.config import Config
from pipeline.corpus import Corpus
from pipeline.planning import ensure_planned
from tests.pipeline import fake_stages


@pytest.fixture
def fakes(tmp_path) -> Path:
    """The fake stages in the place of the real ones; gives the log of what they do."""
    before = [(stages, dict(stages)) for stages in (registry.SHARD_STAGES, registry.CORPUS_STAGES, SOURCES)]
    fake_stages.register()
    log = tmp_path / "corpus.log"
    log.touch()
    yield log
    for stages, entries in before:
        stages.clear()
        stages.update(entries)


@pytest.fixture
def new_corpus(fakes, tmp_path) -> Callable[[Config], Corpus]:
    """Makes a planned corpus."""

    def make(config: Config, name: str = "corpus") -> Corpus:
        corpus = Corpus(tmp_path / name)
        ensure_planned(corpus, config)
        return corpus

    return make
