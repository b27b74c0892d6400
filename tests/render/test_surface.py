import numpy as np
import pytest
from scipy.spatial import cKDTree

from render.cameras import fibonacci_cameras
from render.layers import RenderedView
from render.surface import SurfaceCloud, SurfacePoints, view_points

CAMERAS = fibonacci_cameras(views=4, resolution=400, fov_deg=40)
CAMERA = np.array([0.0, 0.0, 2.0])


def view(alpha, positions=(0.1, 0.2, 0.3), normals=(0.0, 0.0, 1.0)) -> RenderedView:
    """A view of one position and normal everywhere, with the given alpha [H, W]."""
    alpha = np.array(alpha)
    rgba = np.zeros((*alpha.shape, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 77, alpha
    planes = (np.broadcast_to(np.array(value, np.float32), (*alpha.shape, 3)) for value in (positions, normals))
    return RenderedView(rgba, *planes)


def test_only_pixels_well_inside_the_object_give_points():
    alpha = np.zeros((7, 7), int)
    alpha[1:4, 1:4] = 255
    alpha[5, 1:4] = 60  # a fringe: background above and below
    points = view_points(view(alpha), CAMERA)
    assert len(points.positions) == 9
    assert (points.colors == [77, 0, 0]).all()


def test_translucent_surfaces_give_points_inside_their_outline():
    alpha = np.zeros((7, 7), int)
    alpha[1:6, 1:6] = 60
    assert len(view_points(view(alpha), CAMERA).positions) == 9


def test_pixels_where_no_ray_hit_give_none():
    assert len(view_points(view(np.full((5, 5), 255), positions=(0, 0, 0)), CAMERA).positions) == 0


@pytest.mark.parametrize("normal", [(0, 0, 0.5), (0, 0, -0.5), (0, 0, 0)])
def test_normals_are_unit_and_face_the_camera(normal):
    points = view_points(view(np.full((3, 3), 255), normals=normal), CAMERA)
    to_camera = CAMERA - points.positions
    assert np.allclose(np.linalg.norm(points.normals, axis=1), 1, atol=1e-6)
    assert ((points.normals * to_camera).sum(axis=1) > 0).all()


def surface_points(views: list[SurfacePoints], limit: int) -> SurfacePoints:
    cloud = SurfaceCloud(CAMERAS)
    for points in views:
        cloud.add(points)
    return cloud.points(limit)


def square_points(count: int, seed: int) -> SurfacePoints:
    """Random points on a square, ten times denser on its left half."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(count) < 10 / 11, rng.uniform(-0.35, 0, count), rng.uniform(0, 0.35, count))
    positions = np.column_stack([x, rng.uniform(-0.35, 0.35, count), np.zeros(count)]).astype(np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (count, 1))
    return SurfacePoints(positions, normals, np.zeros((count, 3), np.uint8))


def test_thinning_is_even_and_keeps_the_limit():
    points = surface_points([square_points(40_000, 0), square_points(40_000, 1)], 2000)
    assert 1400 < len(points.positions) <= 2000
    left = (points.positions[:, 0] < 0).mean()
    assert left == pytest.approx(0.5, abs=0.05)
    nearest = cKDTree(points.positions).query(points.positions, k=2)[0][:, 1]
    assert nearest.std() / nearest.mean() < 0.4  # random points have 0.52


def test_points_are_never_denser_than_pixels():
    points = surface_points([square_points(40_000, 0)] * 3, 10**6)
    pixel = np.linalg.norm(CAMERAS.positions[0]) / CAMERAS.intrinsics[0, 0]
    assert len(points.positions) <= (0.7 / pixel + 1) ** 2


def test_order_and_choice_do_not_depend_on_anything_random():
    parts = [square_points(5000, 0), square_points(5000, 1)]
    first, second = (surface_points(parts, 500) for _ in range(2))
    assert np.array_equal(first.positions, second.positions)


def test_views_together_keep_what_all_their_points_at_once_would(monkeypatch):
    monkeypatch.setattr("render.surface.MOST_WAITING", 8000)
    parts = [square_points(5000, seed) for seed in range(6)]
    together = SurfacePoints(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "normals", "colors"))
    )
    for limit in (1000, 10**6):
        one_by_one, at_once = surface_points(parts, limit), surface_points([together], limit)
        for name in ("positions", "normals", "colors"):
            assert np.array_equal(getattr(one_by_one, name), getattr(at_once, name))
