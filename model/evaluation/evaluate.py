"""Evaluation of a trained run on the splits of a corpus: retrieval and classification, each beside chance."""

import logging
from typing import Any

import numpy as np
import torch

from model.config import EvaluateConfig
from model.data.split import LoadedSplit, load_split
from model.embed import embed_splats
from model.evaluation.classification import few_shot_figures, linear_probe_figures, zero_shot_figures
from model.evaluation.evaluation_table import markdown
from model.evaluation.label_sets import classes_of, label_set
from model.evaluation.retrieval import retrieval, with_interval
from model.network.pretrained import from_pretrained
from model.training.threads import torch_threads
from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore

logger = logging.getLogger(__name__)

RETRIEVAL_KS = (1, 5, 10)
RESULT = "evaluation.json"  # in the run's folder
BESIDE = ("_low", "_high", "_deviation")  # what stands beside a figure in the files


def evaluate(corpus: CorpusStore, config: EvaluateConfig) -> dict[str, Any]:
    """Measure a run; writes `evaluation.json` and `evaluation.md` beside its weights.

    A split without objects is left out: no figure stands for it. Returns flat figures, each with its `_chance`; the
    intervals are in the files.

    Raises:
        ConfigError: the run has no model, the corpus has other embeddings than the model, or all splits are empty.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, encoder = from_pretrained(corpus.uri.rstrip("/") + f"/runs/{config.run}", device)
    splits = load_splits(corpus, config, model.config.minimum_gaussians, encoder)
    figures: dict[str, Any] = {}
    with torch_threads(config.threads):
        features = {name: embed_splats(model, part.gaussians, config.batch_size) for name, part in splits.items()}
        for split, triplets in splits.items():
            figures |= retrieval_figures(split, features[split], triplets)
        figures |= classification_figures(config, encoder, splits, features)
    record = {"run": config.run, "encoder": encoder, "figures": figures}
    corpus.write_json(record, "runs", config.run, RESULT)
    corpus.write_text(markdown(config.run, encoder, figures), "runs", config.run, "evaluation.md")
    return {key: value for key, value in figures.items() if not key.endswith(BESIDE)}


def load_splits(
    corpus: CorpusStore, config: EvaluateConfig, minimum_gaussians: int, encoder: str
) -> dict[str, LoadedSplit]:
    """The splits that have objects, checked against the encoder that the model was aligned with."""
    splits = {}
    for split in config.splits:
        triplets = load_split(corpus, split, minimum_gaussians)
        if not len(triplets):
            logger.warning("the %s split is empty: not evaluated", split)
        elif triplets.encoder != encoder:
            raise ConfigError(
                f"split {split} was embedded by {triplets.encoder}, run {config.run} was trained with {encoder}: "
                "train again on this corpus"
            )
        else:
            splits[split] = triplets
    if not splits:
        raise ConfigError(f"no triplets in any of the splits {', '.join(config.splits)}: run the pack stage")
    return splits


def retrieval_figures(split: str, features: np.ndarray, triplets: LoadedSplit) -> dict[str, float]:
    """`retrieval_SPLIT_DIRECTION_rK`, with `_chance`, `_low` and `_high` (95%, bootstrap over objects) beside each."""
    count = len(triplets)
    fewest_views = min(len(weights) for weights in triplets.weights)
    views = np.stack([triplets.images[i][:fewest_views] for i in range(count)])
    figures: dict[str, float] = {f"retrieval_{split}_objects": count}
    for direction, chances in retrieval(features, triplets.texts, views, RETRIEVAL_KS):
        for k, values in zip(RETRIEVAL_KS, chances, strict=True):
            figures |= with_interval(f"retrieval_{split}_{direction}_r{k}", values, min(k, count) / count)
    return figures


def classification_figures(
    config: EvaluateConfig, encoder: str, splits: dict[str, LoadedSplit], features: dict[str, np.ndarray]
) -> dict[str, float]:
    """Zero-shot, few-shot and linear probe, as far as the config asks for them."""
    column = config.label
    figures: dict[str, float] = {}
    if config.zero_shot:
        present = (label for triplets in splits.values() for label in triplets.labels[column])
        classes = label_set(config.classes) if config.classes else classes_of(present)
        if len(classes) < 2:
            logger.warning("zero-shot over %s left out: the corpus has %d different values", column, len(classes))
        else:
            from caption.encoders import load_encoder_by_id  # heavy, and needed for zero-shot alone

            encode_texts = load_encoder_by_id(encoder).encode_texts
            figures |= zero_shot_figures(classes, column, splits, features, encode_texts)
    if config.few_shot:
        figures |= few_shot_figures(config.few_shot, column, splits, features)
    if config.linear_probe:
        figures |= linear_probe_figures(column, splits, features)
    return figures
