"""What the registry is told of the stages; nothing heavy is imported here."""

import pyarrow as pa

from pipeline.base.settings import Section
from pipeline.stages.entries import CorpusStageEntry, ShardStageEntry


class WeighConfig(Section):
    """How assets are weighed."""

    grams_per_byte: float = 1.0
    """Weight of one byte of the stored asset."""
    box_grams: float = 0.0
    """Weight of the box around it."""


class AverageConfig(Section):
    """How weights are averaged."""


WEIGH = ShardStageEntry(
    "weigh",
    "weighing.stages:WeighStage",
    reads=("assets",),
    writes="weights",
    section=WeighConfig,
    schema=pa.schema([("uid", pa.string()), ("grams", pa.float64())]),
)
AVERAGE = CorpusStageEntry("average", "weighing.stages:AverageStage", after=("weigh",), section=AverageConfig)
