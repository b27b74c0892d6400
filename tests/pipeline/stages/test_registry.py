"""What the registry says of a stage is what its class says."""

import pytest

from pipeline.base.errors import ConfigError
from pipeline.stages.config import Config
from pipeline.stages.entries import CorpusStageEntry, ShardStageEntry
from pipeline.stages.registry import CORPUS_STAGES, SHARD_STAGES, STAGES
from pipeline.store.schema import TABLES


@pytest.mark.parametrize("entry", [*SHARD_STAGES.values(), *CORPUS_STAGES.values()], ids=lambda entry: entry.name)
def test_every_stage_loads_and_agrees(entry):
    assert entry.load().name == entry.name


def test_columns_that_stages_read_exist():
    for entry in SHARD_STAGES.values():
        for table, columns in entry.load().reads.items():
            assert set(columns) <= set(TABLES[table].names), f"{entry.name}: {table}"


def test_every_stage_has_its_section():
    assert tuple(Config.model_fields) == STAGES


def test_a_class_that_disagrees_is_refused():
    with pytest.raises(TypeError, match="reads"):
        ShardStageEntry("assets", "pipeline.assets.stage:AssetsStage", ("views",), "assets").load()
    with pytest.raises(TypeError, match="comes after"):
        CorpusStageEntry("pack", "pipeline.pack.stage:PackStage", ("train",)).load()


def test_a_missing_package_is_named_with_its_cure():
    entry = ShardStageEntry("fit", "no_such_package.stage:FitStage", ("views",), "gaussians", extra="fit")
    with pytest.raises(ConfigError, match=r"stage fit needs .*'no_such_package'.*pip install 'clip-gs-corpus\[fit\]'"):
        entry.load()
