import numpy as np
import pytest

from pipeline.base.errors import AssetError
from render.geometry import import_frame, normalisation, repeated_faces

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) / 2


def test_import_frames_are_rotations():
    for asset_format in ("glb", "gltf", "obj", "ply", "stl", "fbx"):
        matrix = import_frame(asset_format, "y")
        assert np.allclose(matrix @ matrix.T, np.eye(3))


def test_normalised_box_has_unit_diagonal_around_the_origin():
    vertices = np.random.default_rng(0).uniform(-3, 8, (50, 3)) + [1000, 0, 0]
    center, scale = normalisation(vertices)
    world = (vertices - center) * scale
    assert np.allclose(world.min(axis=0), -world.max(axis=0))
    assert np.linalg.norm(np.ptp(world, axis=0)) == pytest.approx(1)


@pytest.mark.parametrize("vertices", [np.zeros((0, 3)), np.full((4, 3), 7.0), SQUARE * np.nan, SQUARE + [np.inf, 0, 0]])
def test_what_cannot_be_normalised_is_refused(vertices):
    with pytest.raises(AssetError):
        normalisation(vertices)


def test_repeated_faces_are_found_whatever_their_winding_and_vertices():
    vertices = np.vstack([SQUARE, SQUARE + [0, 0, 0.1], SQUARE])
    corners = np.array([0, 1, 2, 3, 2, 1, 0, 8, 9, 10, 4, 5, 6, 0, 2, 3, 11, 10, 9, 8])
    starts = np.array([0, 4, 7, 10, 13, 16])
    #         square, triangle, its copy by other vertices, one above it, another triangle, the square reversed
    assert repeated_faces(corners, starts, vertices).tolist() == [False, False, True, False, False, True]


def test_no_faces_no_repeats():
    assert len(repeated_faces(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)))) == 0
