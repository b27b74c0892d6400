"""Algebra of rotations as quaternions, wxyz."""

from typing import Any

import numpy as np


def rotation_rows(w: Any, x: Any, y: Any, z: Any) -> tuple[tuple[Any, Any, Any], ...]:
    """The rows of the rotation matrix of a unit quaternion, of floats, arrays, tensors or the kernels' vectors."""
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton product, [4] or [N, 4]: as rotations, first `right`, then `left`."""
    lw, lx, ly, lz = np.moveaxis(left, -1, 0)
    rw, rx, ry, rz = np.moveaxis(right, -1, 0)
    return np.stack(
        [
            lw * rw - lx * rx - ly * ry - lz * rz,
            lw * rx + lx * rw + ly * rz - lz * ry,
            lw * ry - lx * rz + ly * rw + lz * rx,
            lw * rz + lx * ry - ly * rx + lz * rw,
        ],
        axis=-1,
    )


def with_positive_w(quats: np.ndarray) -> np.ndarray:
    """Of the two quaternions of each rotation [..., 4] the one with w >= 0."""
    return np.where(quats[..., :1] < 0, -quats, quats)


def quat_from_matrix(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion [4] with w >= 0 of a rotation matrix [3, 3].

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
    return with_positive_w(np.linalg.eigh(matrix)[1][:, -1])
