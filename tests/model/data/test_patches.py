import numpy as np

from model.data.patches import farthest_points, make_patches, nearest_neighbours
from tests.model.synthetic_triplets import random_gaussians


def brute_force_farthest(points: np.ndarray, count: int) -> list[int]:
    """As pointnet2's kernel: from index 0, points with |p|² <= 1e-3 are never picked later."""
    points = points.astype(np.float64)
    candidates = [i for i, point in enumerate(points) if point @ point > 1e-3]
    picked = [0]
    while len(picked) < count:
        picked.append(max(candidates, key=lambda i: min(np.sum((points[i] - points[j]) ** 2) for j in picked)))
    return picked


def test_farthest_points_against_brute_force(rng):
    points = rng.normal(size=(200, 3)).astype(np.float32)
    assert farthest_points(points, 20).tolist() == brute_force_farthest(points, 20)


def test_farthest_points_skip_the_origin_but_may_start_there(rng):
    points = 0.02 * rng.normal(size=(100, 3)).astype(np.float32)
    points[0] = 0
    picked = farthest_points(points, 30).tolist()
    assert picked == brute_force_farthest(points, 30)
    near = set(np.flatnonzero((points**2).sum(1) <= 1e-3))
    assert len(near) > 30 and near & set(picked) == {0}


def test_nearest_neighbours_against_brute_force(rng):
    points = rng.normal(size=(300, 3)).astype(np.float32)
    centers = points[:7]
    distances = np.linalg.norm(points[None].astype(np.float64) - centers[:, None], axis=-1)
    assert (nearest_neighbours(points, centers, 12) == np.argsort(distances, axis=1)[:, :12]).all()


def test_patches_are_centred_neighbourhoods(rng):
    gaussians = random_gaussians(rng, 500)
    patches = make_patches(gaussians, 10, 16, ("xyz", "morton"))
    assert patches.gaussians.shape == (10, 16, 14) and patches.centers.shape == (10, 3)
    assert patches.orders.shape == (2, 10, 16)
    assert (patches.gaussians[:, 0, :3] == 0).all()  # the centre is its own nearest neighbour
    means = patches.gaussians[..., :3] + patches.centers[:, None]
    for mean, rest in zip(means.reshape(-1, 3), patches.gaussians[..., 3:].reshape(-1, 11), strict=True):
        nearest = np.linalg.norm(gaussians[:, :3] - mean, axis=1).argmin()
        assert (gaussians[nearest, 3:] == rest).all()


def test_one_patch_of_all():
    gaussians = random_gaussians(np.random.default_rng(0), 16)
    assert make_patches(gaussians, 16, 16, ()).gaussians.shape == (16, 16, 14)
