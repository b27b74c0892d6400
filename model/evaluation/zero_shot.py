"""Zero-shot classification: the class whose sentences are nearest to the splat."""

from collections.abc import Callable, Sequence

import numpy as np

from model.evaluation.templates import TEMPLATES


def class_vectors(classes: Sequence[str], encode_texts: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    """One unit vector per class, [C, D]: the mean of its 64 sentences' unit vectors, normalised again.

    Underscores in names become spaces.
    """
    vectors = []
    for name in classes:
        sentences = encode_texts([template.format(name.replace("_", " ")) for template in TEMPLATES])
        mean = (sentences / np.linalg.norm(sentences, axis=1, keepdims=True)).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.stack(vectors)


def top_k_hits(features: np.ndarray, labels: np.ndarray, classes: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Whether the true class is among the k nearest, [len(ks), N]; ties count by their chance, as in retrieval.

    Args:
        features: [N, D] unit vectors of splats.
        labels: [N] indices into `classes`.
        classes: [C, D] unit vectors.
    """
    similarity = features.astype(np.float64) @ classes.T.astype(np.float64)
    own = similarity[np.arange(len(labels)), labels][:, None]
    nearer = (similarity > own + 1e-9).sum(axis=1)
    equal = (np.abs(similarity - own) <= 1e-9).sum(axis=1)
    return np.stack([np.clip(k - nearer, 0, equal) / equal for k in ks])


def class_average(hits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the mean over their objects (the `mAcc` of other papers)."""
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))
