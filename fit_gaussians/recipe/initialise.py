"""Initial Gaussians from surface points: thinned evenly, flat, lying in the surface, coloured as the surface is."""

import numpy as np
from scipy.spatial import cKDTree

from pipeline.values.splat import Gaussians

SCALE_OF_SPACING = 0.5
"""Standard deviation in the surface, in root-mean-square distances to the three nearest neighbours."""
THICKNESS = 0.05
"""Standard deviation along the normal, in standard deviations in the surface."""
OPACITY = 0.9
MIN_SCALE, MAX_SCALE = 1e-4, 0.05
"""Bounds on the initial standard deviation (the object's bounding box has diagonal 1): coincident and lonely points."""
CELLS_PER_SIDE = 2**20
"""A bound on the cells of side MIN_SCALE along an axis, for their numbering."""
CANDIDATES = 8
"""Thinning looks at no more than this many points for each one it keeps."""
MAX_PAIRS = 64
"""Mean number of neighbours within reach, above which points lie in heaps and thinning settles for a shorter reach."""


def initial_gaussians(
    points: np.ndarray, normals: np.ndarray, colors: np.ndarray, count: int, rng: np.random.Generator
) -> Gaussians:
    """At most `count` Gaussians on the surface that the points sample.

    Points whose place or colour is not finite are left out. A Gaussian takes the mean colour of the points that are
    nearer to it than to any other, its scale from its neighbours' distances, its orientation from the normal.

    Args:
        points: [P, 3], world frame.
        normals: [P, 3], of any length; where there is none (zero, not finite) the world's z stands in.
        colors: [P, 3] sRGB in 0..255.

    Raises:
        ValueError: no finite point.
    """
    finite = np.isfinite(points).all(1) & np.isfinite(colors).all(1)
    points, normals, colors = points[finite], normals[finite], colors[finite]
    if not len(points):
        raise ValueError("no surface points")
    kept = thin(points, count, rng)
    means = points[kept].astype(np.float32)
    tree = cKDTree(means)
    scales = _spacing(means, tree) * SCALE_OF_SPACING
    return Gaussians(
        means=means,
        quats=quats_to_normal(normals[kept]),
        scales=(scales[:, None] * np.array([1, 1, THICKNESS])).astype(np.float32),
        opacities=np.full(len(means), OPACITY, np.float32),
        colors=_mean_colors(points, colors, tree, len(means)),
    )


def thin(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most `count` points, ascending, that lie about as far from each other as `count` points can.

    Poisson-disk sampling by elimination: in random order a point is kept if no kept point is nearer than a radius, and
    the radius is the largest (found by bisection) that keeps enough. What is too many then is dropped at random.
    """
    if len(points) <= count:
        return np.arange(len(points))
    order = rng.permutation(len(points))[: CANDIDATES * count]
    order = order[_one_per_cell(points[order])]
    if len(order) <= count:
        return np.sort(order)
    pairs, distances = _near_pairs(points[order], count)
    low, high, kept = 0.0, distances[-1] if len(distances) else 0.0, np.arange(len(order))
    for _ in range(12):
        if len(kept) <= 1.01 * count:
            break
        radius = (low + high) / 2
        survivors = _first_come(len(order), pairs[: np.searchsorted(distances, radius)])
        if len(survivors) >= count:
            low, kept = radius, survivors
        else:
            high = radius
    return np.sort(order[np.sort(rng.permutation(kept)[:count])])


def _one_per_cell(points: np.ndarray) -> np.ndarray:
    """Indices, ascending, of the first point in each cell of a fine grid: heaps of coincident points become one."""
    cells = np.floor((points - points.min(0)) / MIN_SCALE).astype(np.int64)
    _, first = np.unique((cells[:, 0] * CELLS_PER_SIDE + cells[:, 1]) * CELLS_PER_SIDE + cells[:, 2], return_index=True)
    return np.sort(first)


def quats_to_normal(normals: np.ndarray) -> np.ndarray:
    """[N, 4] float32 unit quaternions wxyz that turn the z axis onto the normals [N, 3] the shortest way."""
    normals = np.nan_to_num(np.asarray(normals, np.float64), posinf=0, neginf=0)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 1e-6, normals / np.maximum(length, 1e-6), [0.0, 0.0, 1.0])
    normals = np.where(normals[:, 2:] < 0, -normals, normals)  # a Gaussian has no front: stay away from half a turn
    x, y, z = normals.T
    quats = np.stack([1 + z, -y, x, np.zeros_like(x)], 1)
    return (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)


def _near_pairs(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs [P, 2] of points near enough to exclude each other, and their distances, ascending.

    The reach grows until thinning by it would leave fewer than `count` points, or there are too many pairs to hold.
    """
    tree = cKDTree(points)
    sample = points[:: max(1, len(points) // 512)]
    distances, _ = tree.query(sample, k=min(len(points), 2 + 2 * len(points) // count))
    reach = float(np.median(distances[:, -1]))
    pairs = tree.query_pairs(reach, output_type="ndarray")
    while len(_first_come(len(points), pairs)) > count:
        reach *= 1.3
        if tree.count_neighbors(tree, reach) > 2 * MAX_PAIRS * len(points):
            break
        pairs = tree.query_pairs(reach, output_type="ndarray")
    distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    ascending = np.argsort(distances, kind="stable")
    return pairs[ascending], distances[ascending]


def _first_come(count: int, pairs: np.ndarray) -> np.ndarray:
    """Indices that survive when, in ascending order, each point still there drops its partners of higher index.

    Done in rounds: a point whose lower partners are all gone is safe and drops its higher ones.
    """
    low, high = np.minimum(*pairs.T), np.maximum(*pairs.T)
    alive = np.ones(count, bool)
    undecided = np.ones(count, bool)
    while len(low):
        blocked = np.zeros(count, bool)
        blocked[high] = True
        safe = undecided & ~blocked
        undecided &= blocked
        dropped = high[safe[low]]
        alive[dropped] = False
        undecided[dropped] = False
        rest = alive[low] & alive[high] & undecided[high]
        low, high = low[rest], high[rest]
    return np.flatnonzero(alive)


def _spacing(points: np.ndarray, tree: cKDTree) -> np.ndarray:
    """[N] root-mean-square distance to the three nearest neighbours, bounded."""
    neighbours = min(4, len(points))
    if neighbours == 1:
        return np.full(1, MAX_SCALE / SCALE_OF_SPACING)
    distances, _ = tree.query(points, k=neighbours)
    rms = np.sqrt((distances[:, 1:] ** 2).mean(1))
    return np.clip(rms, MIN_SCALE / SCALE_OF_SPACING, MAX_SCALE / SCALE_OF_SPACING)


def _mean_colors(points: np.ndarray, colors: np.ndarray, tree: cKDTree, count: int) -> np.ndarray:
    """[N, 3] float32 in [0, 1]: the mean over the points nearest to each node of the tree."""
    _, nearest = tree.query(points)
    members = np.bincount(nearest, minlength=count)
    sums = [np.bincount(nearest, weights=channel, minlength=count) for channel in np.asarray(colors, np.float64).T]
    return (np.stack(sums, 1) / np.maximum(members, 1)[:, None] / 255).clip(0, 1).astype(np.float32)
