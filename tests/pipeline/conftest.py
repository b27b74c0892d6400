"""A corpus of the fake stages."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fakes import stages as fake_stages
from pipeline import Corpus
from pipeline.assets.sources import SOURCES
from pipeline.executors import spread_local
from pipeline.stages import registry
from pipeline.stages.config import Config
from pipeline.stages.stage import Spread
from pipeline.state.planning import ensure_planned


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


@pytest.fixture(params=["local", "ray"])
def spread(request) -> Spread:
    """A function over many items, by two worker processes or by two tasks of the session's Ray."""
    if request.param == "local":
        return partial(spread_local.spread, workers=2)
    request.getfixturevalue("ray_cluster")
    from pipeline.executors import spread_ray

    return partial(spread_ray.spread, workers=2)
