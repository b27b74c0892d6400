"""The 14 numbers of a Gaussian as one array, and what a similarity transform does to them.

`gaussians` is `[N, 14]` float32, post-activation, in the paper's order:
means 3, colors 3 (sRGB in [0, 1]), opacity 1 (in (0, 1)), scales 3 (standard deviations, linear), quats 4 (wxyz, unit).
"""

from collections.abc import Mapping

import numpy as np

WIDTH = 14
MEANS, COLORS, OPACITY, SCALES, QUATS = slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 10), slice(10, 14)


def gaussians_from_row(row: Mapping[str, np.ndarray]) -> np.ndarray:
    """[N, 14] from the columns of the gaussians table: means [N, 3], colors, opacities [N], scales, quats."""
    opacities = np.asarray(row["opacities"]).reshape(-1, 1)
    parts = [row["means"], row["colors"], opacities, row["scales"], row["quats"]]
    return np.concatenate(parts, axis=1, dtype=np.float32)


def rotate(gaussians: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate about the origin: means, and quats with them, so that every covariance becomes `R Σ Rᵀ`.

    Args:
        rotation: [3, 3], proper (determinant 1).
    """
    rotated = gaussians.copy()
    rotated[:, MEANS] = gaussians[:, MEANS] @ rotation.T.astype(np.float32)
    rotated[:, QUATS] = multiply_quats(quat_from_matrix(rotation), gaussians[:, QUATS])
    return rotated


def scale_and_shift(gaussians: np.ndarray, factor: float, shift: np.ndarray) -> np.ndarray:
    """`factor * x + shift` for means; scales grow by `factor`."""
    moved = gaussians.copy()
    moved[:, MEANS] = gaussians[:, MEANS] * np.float32(factor) + np.asarray(shift, np.float32)
    moved[:, SCALES] *= np.float32(factor)
    return moved


def multiply_quats(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton product of wxyz quaternions (first `right`, then `left`), [4] or [N, 4], with w >= 0."""
    lw, lx, ly, lz = np.moveaxis(np.asarray(left, right.dtype), -1, 0)
    rw, rx, ry, rz = np.moveaxis(right, -1, 0)
    product = np.stack(
        [
            lw * rw - lx * rx - ly * ry - lz * rz,
            lw * rx + lx * rw + ly * rz - lz * ry,
            lw * ry - lx * rz + ly * rw + lz * rx,
            lw * rz + lx * ry - ly * rx + lz * rw,
        ],
        axis=-1,
    )
    return np.where(product[..., :1] < 0, -product, product)


def quat_from_matrix(rotation: np.ndarray) -> np.ndarray:
    """wxyz unit quaternion [4] of a rotation matrix [3, 3].

    The eigenvector of Bar-Itzhack's symmetric matrix with the largest eigenvalue: stable for every rotation.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.asarray(rotation, np.float64)
    matrix = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quat = np.linalg.eigh(matrix)[1][:, -1]
    return quat if quat[0] >= 0 else -quat
