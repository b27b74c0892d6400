"""The train and evaluate stages."""

from typing import Any

from model.config import EvaluateConfig, TrainConfig
from model.evaluation.evaluate import RESULT, evaluate
from model.network.pretrained import DESCRIPTION, WEIGHTS
from model.training.train import train
from pipeline.stages.stage import CorpusStage
from pipeline.store.corpus_store import CorpusStore


class TrainStage(CorpusStage[TrainConfig]):
    """Trains a run on the packed triplets; figures: steps, objects, final losses, samples per second."""

    name = "train"
    after = ("pack",)

    def run(self, corpus: CorpusStore) -> dict[str, Any]:
        return train(corpus, self.config)

    def files(self, corpus: CorpusStore) -> list[str]:
        return [f"runs/{self.config.run}/{name}" for name in (WEIGHTS, DESCRIPTION)]


class EvaluateStage(CorpusStage[EvaluateConfig]):
    """Evaluates a run; figures: retrieval and zero-shot, each with its chance."""

    name = "evaluate"
    after = ("train",)

    def run(self, corpus: CorpusStore) -> dict[str, Any]:
        return evaluate(corpus, self.config)

    def files(self, corpus: CorpusStore) -> list[str]:
        return [f"runs/{self.config.run}/{RESULT}"]
