"""Vectors small enough for the browser, by which it finds objects that look alike."""

import base64

import numpy as np

DIM = 64


def reduced_vectors(vectors_OD: np.ndarray) -> np.ndarray:
    """Principal components of O vectors, unit length, in steps of 1/127: int8 [O, min(DIM, D)].

    The mean is taken away first: what all objects share says nothing of how two differ.
    """
    centered = vectors_OD.astype(np.float64) - vectors_OD.mean(0)
    _, axes = np.linalg.eigh(centered.T @ centered)  # [D, D], the largest last
    components = centered @ axes[:, ::-1][:, :DIM]
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    steps: np.ndarray = np.round(components / np.maximum(lengths, 1e-12) * 127).astype(np.int8)
    return steps


def vectors_script(vectors_OD: np.ndarray) -> str:
    """The vectors of O objects, in the catalogue's order, as JavaScript."""
    reduced = reduced_vectors(vectors_OD)
    data = base64.b64encode(reduced.tobytes()).decode("ascii")
    return f'globalThis.catalogueVectors = {{ dim: {reduced.shape[1]}, data: "{data}" }};\n'
