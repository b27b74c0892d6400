"""Views, cameras and surface points against geometry that the test knows exactly: nothing may ever be misaligned."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.store.rows import Row
from pipeline.values.frames import Y_UP_TO_Z_UP
from pipeline.values.pictures import view_pixels
from render.cameras import project
from tests.render.shapes import CHAIR, Box, chair_obj, chair_scene, ray_distances, write_obj_bundle

RESOLUTION = 128
ENGINES = ["blenderproc", "raster"]
QUARTER_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture(scope="module", params=product(ENGINES, ["glb", "obj", "obj rotated", "obj z up"]), ids=" ".join)
def chair(request, tmp_path_factory):
    """(views row, the chair's boxes in the world)."""
    engine, kind = request.param
    folder: Path = tmp_path_factory.mktemp("chair")
    matrix, settings = Y_UP_TO_Z_UP, {"engine": engine}
    if kind == "glb":
        file = folder / "chair.glb"
        chair_scene().export(file)
    else:
        file = write_obj_bundle(folder / "chair.zip", *chair_obj())
        settings["asset_format"] = "obj"
    if kind == "obj rotated":
        matrix = Y_UP_TO_Z_UP @ QUARTER_TURN
        settings["rotation"] = QUARTER_TURN.ravel()
    if kind == "obj z up":
        matrix = np.eye(3)
        settings["up_axis"] = "z"
    row = request.getfixturevalue("render_in")(folder, file, resolution=RESOLUTION, views=8, samples=16, **settings)
    return row, [box.moved(matrix, row["center"], row["scale"]) for box in CHAIR]


def alphas(row: Row) -> np.ndarray:
    return np.stack([view_pixels(image["bytes"], None, "a view")[..., 3] for image in row["images"]])


def cameras(row: Row):
    """(intrinsics [4], world_to_camera [4, 4], camera centre [3]) of every view."""
    for intrinsics, flat in zip(row["intrinsics"], row["world_to_camera"], strict=True):
        matrix = flat.reshape(4, 4)
        yield intrinsics, matrix, -matrix[:3, :3].T @ matrix[:3, 3]


def test_world_frame_is_centred_with_unit_diagonal(chair):
    _, boxes = chair
    low = np.min([box.low for box in boxes], axis=0)
    high = np.max([box.high for box in boxes], axis=0)
    assert np.allclose(low, -high, atol=1e-5)
    assert np.linalg.norm(high - low) == pytest.approx(1, abs=1e-5)


def test_silhouettes_are_those_of_the_cameras(chair):
    row, boxes = chair
    pixels = np.stack(np.meshgrid(*[np.arange(RESOLUTION) + 0.5] * 2), axis=-1).reshape(-1, 2)
    for alpha, (intrinsics, matrix, origin) in zip(alphas(row), cameras(row), strict=True):
        rays = np.column_stack([(pixels - intrinsics[2:]) / intrinsics[:2], np.ones(len(pixels))]) @ matrix[:3, :3]
        expected = np.isfinite(ray_distances(boxes, origin, rays)).reshape(RESOLUTION, RESOLUTION)
        seen = alpha >= 128
        # Where an edge runs along a column of pixels, half of a regular grid may be seen of all of them, or none.
        assert (expected & seen).sum() / (expected | seen).sum() > 0.985


def test_points_lie_on_the_surface_with_its_normals_and_colors(chair):
    row, boxes = chair
    points = row["points"].astype(np.float64)
    assert 1000 < len(points) <= 3000
    distances = np.stack([box_distance(box, points) for box in boxes], axis=1)
    assert np.abs(distances.min(axis=1)).max() < 2e-4
    nearest = distances.argmin(axis=1)
    inner = np.sort(distances, axis=1)[:, 1] > 0.02  # away from the seams between boxes
    away_from_edges = inner & (np.sort(np.abs(face_offsets(boxes, nearest, points)), axis=1)[:, 1] > 0.02)
    assert away_from_edges.sum() > 500
    axis = np.abs(face_offsets(boxes, nearest, points)).argmin(axis=1)
    normals = np.take_along_axis(np.abs(row["point_normals"]), axis[:, None], axis=1)[:, 0]
    # A pixel's normal is its average: seen at a grazing angle, a pixel may reach over an edge.
    assert (normals[away_from_edges] > 0.999).mean() > 0.99
    assert np.allclose(np.linalg.norm(row["point_normals"], axis=1), 1, atol=1e-2)  # they are rounded to 1/128
    colors = np.array([box.color for box in boxes])[nearest]
    same_color = np.abs(colors.astype(int) - row["point_colors"]).max(axis=1) <= 2  # glTF's factors were rounded
    assert same_color[away_from_edges].mean() > 0.99


def test_points_meet_every_view_in_alpha_and_depth(chair):
    row, boxes = chair
    points = row["points"].astype(np.float64)
    seen_by = np.zeros(len(points), int)
    for alpha, (intrinsics, matrix, origin) in zip(alphas(row), cameras(row), strict=True):
        xy, depth = project(points, intrinsics, matrix)
        # t = 1 is the point itself: a smaller distance means that something stands before it.
        t = ray_distances(boxes, origin, points - origin)
        visible = np.abs(t - 1) * depth < 1e-3
        seen_by += visible
        assert ((xy > 0) & (xy < RESOLUTION)).all()
        column, line = np.floor(xy[visible]).astype(int).T
        # An edge of the object may fill so little of a pixel that no ray met it: on a regular grid, up to an eighth.
        assert (alpha[line, column] > 0).mean() > 0.98
        assert all(alpha[y - 1 : y + 2, x - 1 : x + 2].any() for x, y in zip(column, line, strict=True))
    assert seen_by.min() >= 1


def test_point_normals_face_a_camera_that_sees_the_point(chair):
    row, boxes = chair
    points = row["points"].astype(np.float64)
    faced = np.zeros(len(points), bool)
    for _, _, origin in cameras(row):
        visible = np.abs(ray_distances(boxes, origin, points - origin) - 1) < 1e-3
        faced |= visible & (((origin - points) * row["point_normals"]).sum(axis=1) > 0)
    assert faced.all()


def box_distance(box: Box, points: np.ndarray) -> np.ndarray:
    """[N] unsigned distance to the box's surface."""
    center, half = (np.array(box.low) + box.high) / 2, (np.array(box.high) - box.low) / 2
    outside = np.abs(points - center) - half
    return np.abs(np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(axis=1), 0))


def face_offsets(boxes: list[Box], nearest: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[N, 3] distance to the nearer of the two faces across each axis, of the nearest box."""
    low, high = np.array([box.low for box in boxes])[nearest], np.array([box.high for box in boxes])[nearest]
    return np.minimum(np.abs(points - low), np.abs(points - high))
