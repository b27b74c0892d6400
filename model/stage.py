"""The train and evaluate stages."""

from typing import Any

from model.evaluate import evaluate
from model.train import train
from pipeline.corpus import Corpus
from pipeline.stage import CorpusStage


class TrainStage(CorpusStage):
    """Trains a run on the packed triplets; figures: steps, objects, final losses, samples per second."""

    name = "train"
    after = ("pack",)

    def run(self, corpus: Corpus) -> dict[str, Any]:
        return train(corpus, self.config)


class EvaluateStage(CorpusStage):
    """Evaluates a run; figures: retrieval and zero-shot, each with its chance."""

    name = "evaluate"
    after = ("train",)

    def run(self, corpus: Corpus) -> dict[str, Any]:
        return evaluate(corpus, self.config)
