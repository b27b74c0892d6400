"""Farthest point sampling and nearest neighbours: a splat becomes G overlapping patches of S Gaussians.

Runs on the CPU in the data workers, off the training step: NumPy over contiguous coordinates, and SciPy's k-d tree.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from model.data.orders import patch_orders
from pipeline.values.packed import MEANS

# Uni3D's point operators (pointnet2) never pick a point this close to the origin, save the first; its weights know
# patches chosen so.
MIN_SQUARED_NORM = 1e-3


@dataclass(frozen=True)
class Patches:
    """The input of the tokenizer for one object; in a batch every array has a leading B."""

    gaussians: np.ndarray  # [G, S, 14], means relative to their patch's centre
    centers: np.ndarray  # [G, 3]
    orders: np.ndarray  # [O, G, S] indices into S, one order after the other


def make_patches(gaussians: np.ndarray, groups: int, group_size: int, orders: tuple[str, ...]) -> Patches:
    """G = `groups` patches of S = `group_size` neighbours around farthest-point centres.

    Args:
        gaussians: [N, 14] in the model's frame, N >= max(groups, group_size).
        orders: names of `model.data.split.orders.ORDERS`; none: `Patches.orders` is [0, G, S].
    """
    points = np.ascontiguousarray(gaussians[:, MEANS])
    centers = points[farthest_points(points, groups)]
    patches = gaussians[nearest_neighbours(points, centers, group_size)]
    patches[..., MEANS] -= centers[:, None]
    sequence = np.zeros((0, groups, group_size), np.int64)
    if orders:
        sequence = patch_orders(patches[..., MEANS], orders)
    return Patches(patches, centers, sequence)


def farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """Indices [count] of farthest point sampling, from index 0 on, as pointnet2's kernel picks them.

    Args:
        points: [N, 3] float32.
    """
    x, y, z = np.ascontiguousarray(points.T)
    squared_distance = np.full(len(points), np.inf, np.float32)  # to the nearest picked point
    squared_distance[x * x + y * y + z * z <= MIN_SQUARED_NORM] = -1
    to_last, along_axis = np.empty_like(x), np.empty_like(x)
    picked = np.zeros(count, np.int64)
    for i in range(1, count):
        last = picked[i - 1]
        np.square(np.subtract(x, x[last], out=to_last), out=to_last)
        for axis in (y, z):
            np.square(np.subtract(axis, axis[last], out=along_axis), out=along_axis)
            np.add(to_last, along_axis, out=to_last)
        np.minimum(squared_distance, to_last, out=squared_distance)
        picked[i] = squared_distance.argmax()
    return picked


def nearest_neighbours(points: np.ndarray, centers: np.ndarray, count: int) -> np.ndarray:
    """Indices [G, count] of the points nearest to each centre, nearest first."""
    # An unbalanced tree is built twice as fast and searched as fast.
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False, leafsize=32)
    nearest: np.ndarray = tree.query(centers, k=count)[1]
    return nearest.reshape(len(centers), count)
