import numpy as np
import pytest

from render.cameras import fibonacci_cameras, look_at_origin, project


@pytest.fixture(scope="module")
def cameras():
    return fibonacci_cameras(views=36, resolution=100, fov_deg=40)


def test_matrices_are_rigid_and_right_handed(cameras):
    rotation = cameras.world_to_camera[:, :3, :3]
    assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(rotation), 1)
    assert np.allclose(cameras.world_to_camera[:, 3], [0, 0, 0, 1])


def test_every_camera_sees_the_origin_in_the_middle(cameras):
    for intrinsics, matrix in zip(cameras.intrinsics, cameras.world_to_camera, strict=True):
        xy, depth = project(np.zeros((1, 3)), intrinsics, matrix)
        assert np.allclose(xy, 50)
        assert depth[0] == pytest.approx(np.linalg.norm(cameras.positions[0]))


def test_world_z_points_up_in_the_image(cameras):
    for intrinsics, matrix in zip(cameras.intrinsics, cameras.world_to_camera, strict=True):
        xy, _ = project(np.array([[0, 0, 0.1]]), intrinsics, matrix)
        assert xy[0, 0] == pytest.approx(50)
        assert xy[0, 1] < 50


def test_unit_diagonal_always_fits(cameras):
    directions = np.random.default_rng(0).normal(size=(2000, 3))
    sphere = 0.5 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    for intrinsics, matrix in zip(cameras.intrinsics, cameras.world_to_camera, strict=True):
        xy, _ = project(sphere, intrinsics, matrix)
        assert xy.min() > 1
        assert xy.max() < 99
        assert np.ptp(xy) > 90  # and fills the image


def test_directions_are_spread_evenly(cameras):
    directions = cameras.positions / np.linalg.norm(cameras.positions, axis=1, keepdims=True)
    assert np.allclose(directions.mean(axis=0), 0, atol=0.02)
    angles = np.degrees(np.arccos(np.clip(directions @ directions.T - 2 * np.eye(36), -1, 1)))
    assert angles.min(axis=1).min() > 25  # 36 ideal neighbours are about 36 degrees apart


def test_field_of_view(cameras):
    focal = cameras.intrinsics[0, 0]
    assert np.degrees(2 * np.arctan(50 / focal)) == pytest.approx(40)


@pytest.mark.parametrize("z", [2.0, -2.0])
def test_straight_above_and_below_is_a_camera_too(z):
    matrix = look_at_origin(np.array([0.0, 0.0, z]))
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    assert np.allclose(matrix @ [0, 0, 0, 1], [0, 0, 2, 1])
