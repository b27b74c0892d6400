import time

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from fit_gaussians.recipe.initialise import MAX_SCALE, THICKNESS, initial_gaussians, quats_to_normal, thin
from tests.fit_gaussians.scenes import sphere_points


def rng():
    return np.random.default_rng(0)


def random_sphere(count):
    points = rng().normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * 0.4


def nearest(points):
    return cKDTree(points).query(points, k=2)[0][:, 1]


def test_thinning_keeps_exactly_so_many_and_spreads_them():
    points = random_sphere(8000)
    kept = thin(points, 1000, rng())
    assert len(kept) == 1000 and len(np.unique(kept)) == 1000
    spaced, at_random = nearest(points[kept]), nearest(points[:1000])
    assert spaced.min() > 10 * at_random.min()
    assert spaced.mean() > 1.3 * at_random.mean()


def test_thinning_does_not_favour_the_dense_side():
    dense, sparse = random_sphere(20_000), random_sphere(20_000)
    points = np.concatenate([dense[dense[:, 2] > 0], sparse[sparse[:, 2] <= 0][::5]])
    kept = points[thin(points, 800, rng())]
    assert 0.4 < np.mean(kept[:, 2] > 0) < 0.6  # of the candidates 83%


def test_thinning_is_deterministic():
    points = random_sphere(5000)
    assert np.array_equal(thin(points, 700, rng()), thin(points, 700, rng()))


def test_fewer_points_than_asked_are_all_kept():
    assert np.array_equal(thin(random_sphere(50), 100, rng()), np.arange(50))


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((30_000, 3)),
        np.repeat(random_sphere(300), 100, axis=0),
        random_sphere(30_000) * 1e-3 + (np.arange(30_000) % 10 == 0)[:, None] * random_sphere(30_000),
    ],
)
def test_coincident_points_do_not_blow_up(points):
    started = time.process_time()
    assert 1 <= len(thin(points, 2000, rng())) <= 2000
    assert time.process_time() - started < 5


def test_a_million_points_take_seconds():
    points, normals, colors = random_sphere(1_000_000), random_sphere(1_000_000), np.full((1_000_000, 3), 128, np.uint8)
    started = time.process_time()
    assert len(initial_gaussians(points, normals, colors, 10_000, rng())) == 10_000
    assert time.process_time() - started < 10


def test_gaussians_lie_flat_in_the_surface():
    points, normals, colors = sphere_points(3000)
    splat = initial_gaussians(points, normals, colors, 500, rng())
    axes = Rotation.from_quat(splat.quats[:, [1, 2, 3, 0]]).as_matrix()
    outward = splat.means / np.linalg.norm(splat.means, axis=1, keepdims=True)
    assert np.abs((axes[:, :, 2] * outward).sum(1)).min() > 0.999
    assert splat.scales[:, 2] == pytest.approx(THICKNESS * splat.scales[:, 0])
    spacing = nearest(splat.means)
    assert 0.3 < np.median(splat.scales[:, 0] / spacing) < 0.8


def test_a_gaussian_takes_the_mean_colour_of_its_points():
    points = np.concatenate([np.full((10, 3), -0.4), np.full((10, 3), 0.4)]) + rng().normal(0, 1e-3, (20, 3))
    colors = np.zeros((20, 3), np.uint8)
    colors[:5], colors[10:] = 200, 50
    splat = initial_gaussians(points, np.ones((20, 3)), colors, 2, rng())
    assert sorted(splat.colors[:, 0] * 255) == pytest.approx([50, 100])


def test_values_that_are_not_finite_do_no_harm():
    points, normals, colors = sphere_points(200)
    colors = colors.astype(np.float32)
    points[3], normals[5], normals[6], colors[7] = np.nan, np.inf, 0, np.nan
    splat = initial_gaussians(points, normals, colors, 1000, rng())
    assert len(splat) == 198 and splat.is_finite()


def test_no_points_are_an_error():
    with pytest.raises(ValueError, match="no surface points"):
        initial_gaussians(np.full((2, 3), np.nan), np.ones((2, 3)), np.zeros((2, 3)), 10, rng())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_lonely_points_stay_small(count):
    points = np.arange(count)[:, None] * np.ones(3) * 0.3
    splat = initial_gaussians(points, np.ones((count, 3)), np.zeros((count, 3)), 10, rng())
    assert splat.scales.max() <= np.float32(MAX_SCALE) and splat.is_finite()


def test_quats_turn_z_onto_the_normal_either_way_round():
    normals = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [0.6, 0, -0.8], [0, 0, 0]], float)
    axes = Rotation.from_quat(quats_to_normal(normals)[:, [1, 2, 3, 0]]).as_matrix()[:, :, 2]
    assert np.abs((axes * normals).sum(1))[:4] == pytest.approx(1)
    assert axes[4] == pytest.approx([0, 0, 1])
