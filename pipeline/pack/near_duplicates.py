"""Finds objects that look like an earlier one, by the cosine of their mean image embeddings."""

import numpy as np

from pipeline.store.rows import Row

PROJECTED_DIM = 256
"""Longer embeddings are projected to this many dimensions, so that a million objects fit in 1 GB."""


class NearDuplicates:
    """A gate (see gates.py) that stops objects whose cosine to one that passed is `max_similarity` or more.

    The projection is random with orthonormal columns (Johnson and Lindenstrauss 1984); for cosines near 1 its error is
    about (1 - cosine^2) / sqrt(256), far less than the thresholds in use.
    """

    def __init__(self, max_similarity: float):
        self.max_similarity = max_similarity
        self._passed = np.zeros((0, 0), np.float32)  # [capacity, D]
        self._count = 0
        self._projection: np.ndarray | None = None

    def __call__(self, rows: list[Row]) -> list[bool]:
        if not rows:
            return []
        vectors = self._vectors(rows)  # [R, D]
        to_passed = vectors @ self._passed[: self._count].T if self._count else np.full((len(rows), 1), -np.inf)
        among = vectors @ vectors.T
        verdicts: list[bool] = []
        for i in range(len(rows)):
            earlier = [among[i, j] for j in range(i) if verdicts[j]]
            nearest = max(to_passed[i].max(), max(earlier, default=-np.inf))
            verdicts.append(bool(nearest < self.max_similarity))
        self._remember(vectors[verdicts])
        return verdicts

    def _vectors(self, rows: list[Row]) -> np.ndarray:
        """Unit vectors [R, D], projected if they are long."""
        means = np.stack([row["image_embeddings"].mean(axis=0) for row in rows]).astype(np.float32)
        dim = means.shape[1]
        if dim > PROJECTED_DIM:
            if self._projection is None:
                random = np.random.default_rng(0).normal(size=(dim, PROJECTED_DIM))
                self._projection = np.linalg.qr(random)[0].astype(np.float32)
            means = means @ self._projection
        unit: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-12)
        return unit

    def _remember(self, vectors: np.ndarray) -> None:
        needed = self._count + len(vectors)
        if needed > len(self._passed):
            grown = np.zeros((max(needed, 2 * len(self._passed), 1024), vectors.shape[1]), np.float32)
            if self._count:
                grown[: self._count] = self._passed[: self._count]
            self._passed = grown
        self._passed[self._count : needed] = vectors
        self._count = needed
