"""Evaluation of a trained run on the splits of its corpus: retrieval and zero-shot, each beside chance."""

import logging
import os
from typing import Any

import numpy as np
import torch

from model.config import EvaluateConfig
from model.data import Triplets, load_triplets
from model.embed import embed_splats
from model.evaluation_table import markdown
from model.pretrained import from_pretrained
from model.retrieval import bootstrap_interval, retrieval
from model.zero_shot import class_average, class_vectors, top_k_hits
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError

logger = logging.getLogger(__name__)

RETRIEVAL_KS = (1, 5, 10)
ZERO_SHOT_KS = (1, 3, 5)
INTERVAL = ("_low", "_high")


def evaluate(corpus: Corpus, config: EvaluateConfig) -> dict[str, Any]:
    """Measure a run; writes `evaluation.json` and `evaluation.md` beside its weights.

    Returns flat figures, each with its `_chance`; the intervals are in the files.

    A split without objects is left out: no figure stands for it.

    Raises:
        ConfigError: the run has no model, the corpus has other embeddings than the model, or all splits are empty.
    """
    torch.set_num_threads(config.threads or len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = corpus.uri.rstrip("/") + f"/runs/{config.run}"
    model, encoder = from_pretrained(folder, device)
    splits = {split: load_triplets(corpus, split, model.config.minimum_gaussians) for split in config.splits}
    for split, triplets in splits.items():
        if not len(triplets):
            logger.warning("the %s split is empty: not evaluated", split)
        elif triplets.encoder != encoder:
            raise ConfigError(
                f"split {split} was embedded by {triplets.encoder}, run {config.run} was trained with {encoder}: "
                "train again on this corpus"
            )
    splits = {split: triplets for split, triplets in splits.items() if len(triplets)}
    if not splits:
        raise ConfigError(f"no triplets in any of the splits {', '.join(config.splits)}: run the pack stage")
    features = {split: embed_splats(model, triplets.gaussians, config.batch_size) for split, triplets in splits.items()}
    figures: dict[str, Any] = {}
    for split, triplets in splits.items():
        figures |= retrieval_figures(split, features[split], triplets)
    if config.zero_shot:
        figures |= zero_shot_figures(config.zero_shot, encoder, splits, features)
    corpus.write_json(
        {"run": config.run, "encoder": encoder, "figures": figures}, "runs", config.run, "evaluation.json"
    )
    corpus.write_text(markdown(config.run, encoder, figures), "runs", config.run, "evaluation.md")
    return {key: value for key, value in figures.items() if not key.endswith(INTERVAL)}


def retrieval_figures(split: str, features: np.ndarray, triplets: Triplets) -> dict[str, float]:
    """`retrieval_SPLIT_DIRECTION_rK`, with `_chance`, `_low` and `_high` (95%, bootstrap over objects) beside each."""
    count = len(triplets)
    fewest_views = min(len(weights) for weights in triplets.weights)
    views = np.stack([triplets.images[i][:fewest_views] for i in range(count)])
    figures: dict[str, float] = {f"retrieval_{split}_objects": count}
    for direction, chances in retrieval(features, triplets.texts, views, RETRIEVAL_KS):
        for k, values in zip(RETRIEVAL_KS, chances, strict=True):
            figures |= _with_interval(f"retrieval_{split}_{direction}_r{k}", values, min(k, count) / count)
    return figures


def zero_shot_figures(
    column: str, encoder: str, splits: dict[str, Triplets], features: dict[str, np.ndarray]
) -> dict[str, float]:
    """`zero_shot_SPLIT_topK` over the column's values in all splits, and the class average of the first."""
    from caption.encoders import load_encoder_by_id  # heavy, and needed for zero-shot alone

    names = sorted({label for triplets in splits.values() for label in triplets.labels[column]} - {""})
    if len(names) < 2:
        logger.warning("zero-shot over %s left out: the corpus has %d different values", column, len(names))
        return {}
    vectors = class_vectors(names, load_encoder_by_id(encoder).encode_texts)
    figures: dict[str, float] = {"zero_shot_classes": len(names)}
    for split, triplets in splits.items():
        known = np.array([i for i, label in enumerate(triplets.labels[column]) if label], int)
        if len(known) < len(triplets):
            logger.warning("%s: %d objects without %s left out", split, len(triplets) - len(known), column)
        if not len(known):
            continue
        labels = np.array([names.index(triplets.labels[column][i]) for i in known])
        hits = top_k_hits(features[split][known], labels, vectors, ZERO_SHOT_KS)
        for k, values in zip(ZERO_SHOT_KS, hits, strict=True):
            figures |= _with_interval(f"zero_shot_{split}_top{k}", values, min(k, len(names)) / len(names))
        figures[f"zero_shot_{split}_class_average_top1"] = class_average(hits[0], labels)
        figures[f"zero_shot_{split}_class_average_top1_chance"] = 1 / len(names)
    return figures


def _with_interval(key: str, values: np.ndarray, chance: float) -> dict[str, float]:
    low, high = bootstrap_interval(values)
    return {key: float(values.mean()), f"{key}_chance": chance, f"{key}_low": low, f"{key}_high": high}
