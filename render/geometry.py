"""What an asset's vertices and faces tell on the way to the world (`pipeline.values.frames`)."""

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.frames import Y_UP_TO_Z_UP, z_up_matrix


def import_frame(asset_format: str, up_axis: str) -> np.ndarray:
    """[3, 3] matrix that Blender's importer of this format has already applied to the asset's own frame.

    OBJ, PLY and STL are imported as they are. The glTF importer always turns y up into z up. FBX, Collada and USD files
    say themselves which axis is up, and the importers follow them: the result is upright whatever `up_axis` says.
    """
    if asset_format in ("glb", "gltf"):
        return Y_UP_TO_Z_UP
    if asset_format in ("fbx", "dae", "usdz"):
        return z_up_matrix(up_axis, None)
    return np.eye(3)


def normalisation(vertices_N3: np.ndarray) -> tuple[np.ndarray, float]:
    """(center [3], scale) such that `(vertices - center) * scale` has a bounding box of diagonal 1 around the origin.

    Raises:
        AssetError: there is no vertex, a coordinate is not finite, or all vertices coincide.
    """
    if len(vertices_N3) == 0:
        raise AssetError("it has no faces")
    if not np.isfinite(vertices_N3).all():
        raise AssetError("it has vertices whose coordinates are not finite")
    low, high = vertices_N3.min(axis=0).astype(np.float64), vertices_N3.max(axis=0).astype(np.float64)
    diagonal = float(np.linalg.norm(high - low))
    if not np.isfinite(diagonal) or diagonal <= np.abs(vertices_N3).max() * 1e-6:
        raise AssetError(f"its bounding box has no extent (diagonal {diagonal:g})")
    return (low + high) / 2, 1 / diagonal


def repeated_faces(corners_L: np.ndarray, starts_F: np.ndarray, vertices_N3: np.ndarray) -> np.ndarray:
    """[F] bool: faces that lie exactly where an earlier face lies (any winding, any starting corner).

    Coincident faces fight for every ray: patches of either, or black where they shade each other.

    Args:
        corners_L: vertex index of every face corner.
        starts_F: where each face begins in `corners_L`; strictly increasing, so that no face is empty.
        vertices_N3: positions in the world frame (unit diagonal); equal to 1e-6 counts as the same place.
    """
    if len(starts_F) == 0:
        return np.zeros(0, bool)
    places = np.unique(np.rint(vertices_N3 * 1e6).astype(np.int64), axis=0, return_inverse=True)[1].reshape(-1)
    # A face's key is the sum of random 64-bit numbers of its corners' places: blind to order, and collisions are
    # as rare as 64 bits make them.
    numbers = np.random.default_rng(0).integers(0, 2**64, len(vertices_N3), np.uint64)
    keys = np.add.reduceat(numbers[places[corners_L]], starts_F)
    repeated = np.ones(len(keys), bool)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return repeated
