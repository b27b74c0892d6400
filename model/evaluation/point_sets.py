"""Published point-cloud test sets as splats: HDF5 files of ModelNet40 (`modelnet40_ply_hdf5_2048`) and ScanObjectNN."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from model.data.similarity import rotate
from pipeline.base.errors import ConfigError
from pipeline.values.frames import Y_UP_TO_Z_UP
from pipeline.values.packed import COLORS, MEANS, OPACITY, QUATS, SCALES, WIDTH

GREY = 0.4  # Uni3D's colour for clouds that have none
SOLID = 0.95  # opacity of a surface
NEIGHBOURS = 3  # a point's size is the mean distance to this many, as 3DGS starts from points (section 5.1)


def read_point_set(files: Sequence[str | Path], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, P, 3] float32 and class numbers [N] of HDF5 files with the datasets `data` and `label`.

    Args:
        classes: number of classes that the labels count.

    Raises:
        ConfigError: not such a file, NaN, labels beyond the classes, or files of different numbers of points.
    """
    import h5py

    clouds, labels = [], []
    for file in files:
        try:
            with h5py.File(file, "r") as opened:
                clouds.append(np.asarray(opened["data"], np.float32))
                labels.append(np.asarray(opened["label"]).astype(int).reshape(-1))
        except (OSError, KeyError, ValueError) as error:
            raise ConfigError(f"{file} is not a point set with the datasets 'data' and 'label': {error}") from error
        cloud, label = clouds[-1], labels[-1]
        if cloud.ndim != 3 or cloud.shape[2] != 3 or len(cloud) != len(label) or cloud.shape[1] != clouds[0].shape[1]:
            raise ConfigError(f"{file}: data of shape {cloud.shape} with {len(label)} labels, expected [N, P, 3] and N")
        if not np.isfinite(cloud).all():
            raise ConfigError(f"{file} holds points that are NaN or infinite")
        if len(label) and not 0 <= label.min() <= label.max() < classes:
            raise ConfigError(f"{file}: labels {label.min()} to {label.max()} are not those of {classes} classes")
    return np.concatenate(clouds), np.concatenate(labels)


def splat_of_points(points: np.ndarray) -> np.ndarray:
    """Gaussians [P, 14], z up, of a cloud [P, 3] with y up (as both sets are): grey balls as large as their gaps."""
    splat = np.zeros((len(points), WIDTH), np.float32)
    splat[:, MEANS] = points
    splat[:, COLORS] = GREY
    splat[:, OPACITY] = SOLID
    neighbours = min(NEIGHBOURS, len(points) - 1)
    distances, _ = cKDTree(points).query(points, neighbours + 1)
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))  # points of a set repeat: no ball may shrink to nothing
    splat[:, SCALES] = np.maximum(distances[:, 1:].mean(axis=1), 1e-4 * max(extent, 1e-9))[:, None]
    splat[:, QUATS] = (1, 0, 0, 0)
    return rotate(splat, Y_UP_TO_Z_UP)
