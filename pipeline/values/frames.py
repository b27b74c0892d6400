"""The frames that an object has coordinates in, and the way from its file to the world.

    world = (z_up(asset) - center) * scale,    z_up(p) = upright @ rotation @ p

The asset's own frame is that of its file. Upright, z is up; in the world the object is also centred, and its bounding
box has the diagonal 1. `rotation` comes with the asset (its source knows better than the file how it stands); `upright`
turns y up into z up. `center`, `scale`, `up_axis` and `rotation` are columns of the tables.
"""

import numpy as np

from pipeline.base.errors import AssetError

# glTF's and Blender's convention: x stays, (x, y, z) becomes (x, -z, y), so that a front of -z becomes +y.
Y_UP_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
ORTHONORMAL_TOLERANCE = 1e-3


def z_up_matrix(up_axis: str, rotation: np.ndarray | None) -> np.ndarray:
    """[3, 3] matrix from the asset's own frame to the upright frame.

    Args:
        up_axis: y or z, of the asset's own frame.
        rotation: [9] row-major, applied first; None or empty: identity.

    Raises:
        AssetError: `up_axis` is something else, or `rotation` is not a rotation.
    """
    if up_axis not in ("y", "z"):
        raise AssetError(f"up_axis is {up_axis!r}; it must be y or z")
    upright = Y_UP_TO_Z_UP if up_axis == "y" else np.eye(3)
    if rotation is None or len(rotation) == 0:
        return upright
    matrix = np.asarray(rotation, np.float64)
    if matrix.size != 9 or not np.isfinite(matrix).all():
        raise AssetError(f"rotation must be 9 finite numbers, it is {matrix.tolist()}")
    matrix = matrix.reshape(3, 3)
    orthonormal = np.abs(matrix @ matrix.T - np.eye(3)).max() < ORTHONORMAL_TOLERANCE
    if not orthonormal or np.linalg.det(matrix) < 0:
        raise AssetError(f"rotation {matrix.ravel().tolist()} is not a rotation matrix")
    return upright @ matrix
