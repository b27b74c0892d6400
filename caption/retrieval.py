"""How well captions find their objects' views in the encoder's space, beside chance."""

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np


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
    count = len(captions)
    numbers = np.unique(np.asarray(captions, dtype=object).astype(str), return_inverse=True)[1]
    similarity = texts_OD @ images_OD.T  # [O, O]
    best_hit = np.array([row[numbers == number].max() for row, number in zip(similarity, numbers, strict=True)])
    rank = (similarity > best_hit[:, None]).sum(1)
    copies = Counter(numbers.tolist())
    figures = {}
    for k in ks:
        figures[f"recall_{k}"] = float((rank < k).mean())
        misses = [comb(count - copies[number], k) / comb(count, k) for number in numbers.tolist() if k <= count]
        figures[f"chance_{k}"] = float(1 - np.mean(misses)) if misses else 1.0
    return figures


def object_vectors(image_embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vectors [O, D] of objects: the mean of their views' vectors, O arrays [V, D]."""
    means = np.stack([views_VD.mean(0) for views_VD in image_embeddings])
    return means / np.linalg.norm(means, axis=1, keepdims=True)
