"""What a similarity transform does to a packed splat [N, 14] (`pipeline/values/packed.py`)."""

import numpy as np

from pipeline.values.packed import MEANS, QUATS, SCALES
from pipeline.values.quaternions import multiply, quat_from_matrix, with_positive_w


def rotate(gaussians: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate about the origin: means, and quats with them, so that every covariance becomes `R Σ Rᵀ`.

    Args:
        rotation: [3, 3], proper (determinant 1).
    """
    rotated = gaussians.copy()
    rotated[:, MEANS] = gaussians[:, MEANS] @ rotation.T.astype(np.float32)
    turn = quat_from_matrix(rotation).astype(gaussians.dtype)
    rotated[:, QUATS] = with_positive_w(multiply(turn, gaussians[:, QUATS]))
    return rotated


def scale_and_shift(gaussians: np.ndarray, factor: float, shift: np.ndarray) -> np.ndarray:
    """`factor * x + shift` for means; scales grow by `factor`."""
    moved = gaussians.copy()
    moved[:, MEANS] = gaussians[:, MEANS] * np.float32(factor) + np.asarray(shift, np.float32)
    moved[:, SCALES] *= np.float32(factor)
    return moved
