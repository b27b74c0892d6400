"""The stages' classes, imported only when they run."""

from collections.abc import Mapping
from typing import Any

from pipeline.stages.stage import CorpusStage, Failure, Row, Stage
from pipeline.store.corpus_store import CorpusStore
from weighing.entries import AverageConfig, WeighConfig


class WeighStage(Stage[WeighConfig]):
    name = "weigh"
    reads = {"assets": ("bytes",)}
    writes = "weights"

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        config = self.config
        return [{"uid": row["uid"], "grams": config.box_grams + row["bytes"] * config.grams_per_byte} for row in batch]


class AverageStage(CorpusStage[AverageConfig]):
    name = "average"
    after = ("weigh",)

    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        grams = [row["grams"] for shard in corpus.shards("weights") for row in corpus.read_rows("weights", shard)]
        return {"grams": sum(grams) / len(grams)}
