"""Figures of classification: zero-shot, few-shot and linear probe, each beside chance."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from model.data.split import LoadedSplit
from model.evaluation.few_shot import few_shot_accuracies, linear_probe_hits
from model.evaluation.label_sets import class_key, classes_of
from model.evaluation.retrieval import with_interval
from model.evaluation.zero_shot import class_average, class_vectors, top_k_hits

logger = logging.getLogger(__name__)

TOP_KS = (1, 3, 5)
Splits = Mapping[str, LoadedSplit]
Features = Mapping[str, np.ndarray]


def zero_shot_figures(
    classes: Sequence[str], column: str, splits: Splits, features: Features,
    encode_texts: Callable[[Sequence[str]], np.ndarray],
) -> dict[str, float]:  # fmt: skip
    """`zero_shot_SPLIT_topK` over all labelled objects, and the class average of the first."""
    vectors = class_vectors(classes, encode_texts)
    figures: dict[str, float] = {"zero_shot_classes": len(classes)}
    for split, triplets in splits.items():
        known, labels = class_numbers(classes, split, triplets.labels[column])
        if not len(known):
            continue
        hits = top_k_hits(features[split][known], labels, vectors, TOP_KS)
        for k, values in zip(TOP_KS, hits, strict=True):
            figures |= with_interval(f"zero_shot_{split}_top{k}", values, min(k, len(classes)) / len(classes))
        figures[f"zero_shot_{split}_class_average_top1"] = class_average(hits[0], labels)
        figures[f"zero_shot_{split}_class_average_top1_chance"] = 1 / len(classes)
    return figures


def few_shot_figures(
    episodes: Sequence[tuple[int, int]], column: str, splits: Splits, features: Features
) -> dict[str, float]:
    """`few_shot_SPLIT_WAYSway_SHOTSshot`: mean accuracy over the episodes, and its `_deviation`."""
    figures: dict[str, float] = {}
    for split, triplets in splits.items():
        known, labels = class_numbers(classes_of(triplets.labels[column]), split, triplets.labels[column])
        for ways, shots in episodes:
            accuracies = few_shot_accuracies(features[split][known], labels, ways, shots)
            if not len(accuracies):
                logger.warning("%s: too few classes of more than %d objects for %d ways", split, shots, ways)
                continue
            key = f"few_shot_{split}_{ways}way_{shots}shot"
            figures |= {key: float(accuracies.mean()), f"{key}_chance": 1 / ways, f"{key}_deviation": accuracies.std()}
    return {key: float(value) for key, value in figures.items()}


def linear_probe_figures(column: str, splits: Splits, features: Features) -> dict[str, float]:
    """`linear_probe_SPLIT_top1` of a probe trained on the train split, over its classes."""
    if "train" not in splits:
        logger.warning("linear probe left out: it is trained on the train split, which is not evaluated")
        return {}
    classes = classes_of(splits["train"].labels[column])
    known, labels = class_numbers(classes, "train", splits["train"].labels[column])
    figures: dict[str, float] = {}
    if len(classes) < 2:
        logger.warning("linear probe left out: the train split has %d different values of %s", len(classes), column)
        return figures
    for split, triplets in splits.items():
        tested, answers = class_numbers(classes, split, triplets.labels[column])
        if split != "train" and len(tested):
            hits = linear_probe_hits(features["train"][known], labels, features[split][tested], answers)
            figures |= with_interval(f"linear_probe_{split}_top1", hits, 1 / len(classes))
    return figures


def class_numbers(classes: Sequence[str], split: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which objects have one of the classes, and its number for each of them; says how many have none."""
    numbers = {class_key(name): number for number, name in enumerate(classes)}
    known = np.array([i for i, label in enumerate(labels) if class_key(label) in numbers], int)
    if len(known) < len(labels):
        logger.warning("%s: %d of %d objects have none of the classes", split, len(labels) - len(known), len(labels))
    return known, np.array([numbers[class_key(labels[i])] for i in known], int)
