"""Retrieval between splats, captions and views: R@k in both directions, beside chance."""

from collections.abc import Iterator

import numpy as np


def hit_chances(queries: np.ndarray, gallery: np.ndarray, ks: tuple[int, ...], at_once: int = 1024) -> np.ndarray:
    """For each query i, the chance that gallery item i is among its k nearest, [len(ks), N].

    Equal similarities are in random order: with t equals, of which some fit among the first k, the chance is their
    share. So a model that gives one vector for everything scores chance, not 100%.

    Args:
        queries, gallery: [N, D] unit vectors; pair i belongs together.
        at_once: queries compared at once; bounds the memory.
    """
    chances = np.empty((len(ks), len(queries)))
    for first in range(0, len(queries), at_once):
        rows = slice(first, first + at_once)
        # One product for all, so that equal vectors have exactly equal similarities.
        similarity = queries[rows].astype(np.float64) @ gallery.T.astype(np.float64)
        own = similarity[np.arange(len(similarity)), np.arange(first, first + len(similarity))][:, None]
        tolerance = 1e-9
        nearer = (similarity > own + tolerance).sum(axis=1)
        equal = (np.abs(similarity - own) <= tolerance).sum(axis=1)
        for row, k in enumerate(ks):
            chances[row, rows] = np.clip(k - nearer, 0, equal) / equal
    return chances


def retrieval(
    splats_ND: np.ndarray, texts_ND: np.ndarray, views_NVD: np.ndarray, ks: tuple[int, ...] = (1, 5, 10)
) -> Iterator[tuple[str, np.ndarray]]:
    """Direction and chances of a hit [len(ks), N], for text and image to 3D and back.

    For images, view v of every object forms one gallery of N pictures; an object's chance is the mean over its views.
    """
    yield "text_to_3d", hit_chances(texts_ND, splats_ND, ks)
    yield "3d_to_text", hit_chances(splats_ND, texts_ND, ks)
    views = [views_NVD[:, v] for v in range(views_NVD.shape[1])]
    yield "image_to_3d", np.mean([hit_chances(view, splats_ND, ks) for view in views], axis=0)
    yield "3d_to_image", np.mean([hit_chances(splats_ND, view, ks) for view in views], axis=0)


def bootstrap_interval(values: np.ndarray, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95% interval of the mean of per-object values [N], by resampling the objects (percentile bootstrap)."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(draws)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def with_interval(key: str, values: np.ndarray, chance: float) -> dict[str, float]:
    """The mean of per-object values under `key`, its chance and its interval beside it."""
    low, high = bootstrap_interval(values)
    return {key: float(values.mean()), f"{key}_chance": chance, f"{key}_low": low, f"{key}_high": high}
