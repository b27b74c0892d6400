import numpy as np
from scipy.spatial.transform import Rotation

from model.config import AugmentConfig
from model.data.augment import augment, axis_rotation
from model.data.frame import to_model_frame
from model.data.similarity import rotate, scale_and_shift
from tests.model.synthetic_triplets import random_gaussians


def covariances(gaussians: np.ndarray) -> np.ndarray:
    """[N, 3, 3] by another library's quaternions."""
    axes = Rotation.from_quat(gaussians[:, 10:], scalar_first=True).as_matrix() * gaussians[:, None, 7:10]
    return axes @ axes.transpose(0, 2, 1)


def test_rotation_turns_means_and_covariances(rng):
    gaussians = random_gaussians(rng, 50)
    for R in Rotation.random(5, rng).as_matrix():
        turned = rotate(gaussians, R)
        np.testing.assert_allclose(turned[:, :3], gaussians[:, :3] @ R.T, atol=1e-6)
        np.testing.assert_allclose(covariances(turned), R @ covariances(gaussians) @ R.T, atol=1e-9)
        assert (turned[:, 10] >= 0).all()


def test_scaling_scales_covariances(rng):
    gaussians = random_gaussians(rng, 50)
    moved = scale_and_shift(gaussians, 1.7, [1, 2, 3])
    np.testing.assert_allclose(moved[:, :3], gaussians[:, :3] * 1.7 + [1, 2, 3], rtol=1e-5)
    np.testing.assert_allclose(covariances(moved), 1.7**2 * covariances(gaussians), rtol=1e-4, atol=1e-9)


def test_axis_rotation_is_right_handed():
    for axis in range(3):
        expected = Rotation.from_euler("xyz"[axis], 0.3).as_matrix()
        np.testing.assert_allclose(axis_rotation(axis, 0.3), expected, atol=1e-12)


def test_model_frame_is_y_up_in_the_unit_sphere(rng):
    gaussians = random_gaussians(rng, 100)
    gaussians[:, :3] += 5
    gaussians[7, :3] = [5, 5, 9]  # far up in the corpus' z
    moved = to_model_frame(gaussians)
    assert moved[7, :3].argmax() == 1
    np.testing.assert_allclose(moved[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(moved[:, :3], axis=1).max(), 1, rtol=1e-5)
    factor = moved[0, 7] / gaussians[0, 7]
    R = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    np.testing.assert_allclose(covariances(moved), factor**2 * R @ covariances(gaussians) @ R.T, atol=1e-6)


def test_augmentation_is_a_similarity_within_its_bounds(rng):
    gaussians = random_gaussians(rng, 64)
    before = gaussians.copy()
    for seed in range(20):
        changed = augment(gaussians, AugmentConfig(), np.random.default_rng(seed))
        factor = changed[0, 7] / gaussians[0, 7]
        assert 0.8 <= factor <= 1.25
        # the transform that moved the means, by least squares, moves the covariances too
        ones = np.ones((64, 1))
        solution = np.linalg.lstsq(np.hstack([gaussians[:, :3], ones]), changed[:, :3], rcond=None)[0]
        A = solution[:3].T
        np.testing.assert_allclose(A @ A.T, factor**2 * np.eye(3), atol=1e-4)
        np.testing.assert_allclose(covariances(changed), A @ covariances(gaussians) @ A.T, atol=1e-7)
        up = A @ [0, 1, 0] / factor
        assert np.degrees(np.arccos(up[1])) < np.degrees(0.18) * 2
        assert (changed[:, 3:7] == gaussians[:, 3:7]).all()
    assert (gaussians == before).all()


def test_colours_are_dropped_as_often_as_asked(rng):
    gaussians = random_gaussians(rng, 4)
    config = AugmentConfig(color_drop=0.5)
    dropped = [
        (augment(gaussians, config, np.random.default_rng(i))[:, 3:6] == np.float32(0.4)).all() for i in range(200)
    ]
    assert 70 < sum(dropped) < 130
