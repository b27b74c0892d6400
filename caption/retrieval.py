"""How well captions find their objects' views in the encoder's space, beside chance."""

from collections.abc import Sequence
from math import comb

import numpy as np

_QUERIES = 1024  # compared with all items at once


def caption_recall(
    texts_OD: np.ndarray, images_OD: np.ndarray, captions: Sequence[str], ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Recall of caption -> object: the share of captions whose object is among the k most similar ones.

    Objects with one and the same caption cannot be told apart: any of them is a hit.

    Args:
        texts_OD: unit vectors of O captions.
        images_OD: unit vectors of the O objects.
        captions: O texts.

    Returns:
        `recall_K` and `chance_K` (of a random order) for each K of `ks`, 0..1.
    """
    return _recall(texts_OD, images_OD, captions, captions, ks)


def caption_view_recall(
    texts_OD: np.ndarray, views: Sequence[np.ndarray], captions: Sequence[str], ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Recall of caption -> view: the share of captions with a view of their object among the k most similar views.

    Args:
        texts_OD: unit vectors of O captions.
        views: unit vectors of the objects' views, O arrays [V, D].
        captions: O texts; as in `caption_recall`, objects with one and the same are not told apart.
    """
    owners = [caption for caption, views_VD in zip(captions, views, strict=True) for _ in views_VD]
    return _recall(texts_OD, np.concatenate(views), captions, owners, ks)


def _recall(
    queries_QD: np.ndarray, items_ID: np.ndarray, wanted: Sequence[str], labels: Sequence[str], ks: Sequence[int]
) -> dict[str, float]:
    """Share of queries that have an item of the label that they want among the first k, and that of a random order."""
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    label_I = np.array([numbers[label] for label in labels])
    wanted_Q = np.array([numbers[label] for label in wanted])
    ranks = []
    for start in range(0, len(wanted_Q), _QUERIES):
        wanted_part = wanted_Q[start : start + _QUERIES]
        similarity = queries_QD[start : start + _QUERIES] @ items_ID.T  # [Q, I]
        best_hit = np.where(label_I == wanted_part[:, None], similarity, -np.inf).max(1)
        ranks.append((similarity > best_hit[:, None]).sum(1))
    rank_Q, count, copies = np.concatenate(ranks), len(label_I), np.bincount(label_I)
    figures = {}
    for k in ks:
        figures[f"recall_{k}"] = float((rank_Q < k).mean())
        misses = [comb(count - int(copies[number]), k) / comb(count, k) for number in wanted_Q if k <= count]
        figures[f"chance_{k}"] = float(1 - np.mean(misses)) if misses else 1.0
    return figures


def object_vectors(image_embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vectors [O, D] of objects: the mean of their views' vectors, O arrays [V, D]."""
    means = np.stack([views_VD.mean(0) for views_VD in image_embeddings])
    vectors: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True)
    return vectors
