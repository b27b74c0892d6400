import numpy as np
import pytest
from pydantic import ValidationError

from render.cameras import cameras_at
from render.config import RenderConfig
from render.view_sets import FIXED, SPREAD, directions, jittered

SETS = [(name, 36) for name in SPREAD] + [(name, int(name.removeprefix("fixed"))) for name in FIXED]


def angles(a, b):
    return np.degrees(np.arccos(np.clip(a @ b.T, -1, 1)))


@pytest.fixture(scope="module")
def everywhere():
    """Directions all over the sphere."""
    points = np.random.default_rng(0).normal(size=(5000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "count"), SETS)
def test_every_set_has_its_number_of_unit_directions(name, count):
    found = directions(name, count)
    assert found.shape == (count, 3)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert np.abs(found[:, 2]).max() < 1 - 1e-4  # none straight above or below
    assert np.array_equal(found, directions(name, count))


@pytest.mark.parametrize(("name", "count"), SETS)
def test_every_set_covers_the_sphere_evenly(name, count, everywhere):
    """A cap of `radius` holds the share of one view: no place is farther than twice that from a view."""
    found = directions(name, count)
    radius = np.degrees(np.arccos(1 - 2 / count))
    assert angles(everywhere, found).min(axis=1).max() < 2 * radius
    between = angles(found, found) + 360 * np.eye(count)
    assert between.min() > (0.5 if name == "hammersley" else 0.9) * radius
    assert np.allclose(found.mean(axis=0), 0, atol=0.04)


def test_the_fixed_12_are_an_icosahedron():
    found = directions("fixed12", 12)
    neighbours = np.sort(angles(found, found), axis=1)[:, 1:6]
    assert np.allclose(neighbours, 63.4349, atol=1e-3)


@pytest.mark.parametrize("views", [1, 2, 3, 7, 24, 150])
@pytest.mark.parametrize("name", list(SPREAD))
def test_sets_of_any_size(name, views):
    assert len(directions(name, views)) == views


def test_unknown_sets_and_wrong_numbers_are_refused():
    with pytest.raises(ValidationError, match="fixed24 has 24 views, not 36"):
        RenderConfig(view_set="fixed24")
    with pytest.raises(ValueError, match="no view set 'spiral'"):
        directions("spiral", 4)
    assert RenderConfig(view_set="fixed24", views=24).view_set == "fixed24"


def test_jitter_turns_each_camera_a_little_by_the_objects_uid():
    still = directions("fibonacci", 150)
    turned = jittered(still, 8.0, "chair")
    moved = np.degrees(np.arccos(np.clip((still * turned).sum(axis=1), -1, 1)))
    assert np.allclose(np.linalg.norm(turned, axis=1), 1)
    assert moved.max() <= 8 + 1e-6
    assert np.median(moved) == pytest.approx(8 / np.sqrt(2), rel=0.15)  # even over the cap
    assert np.abs((turned - still).mean(axis=0)).max() < 0.02  # to no side more than to others
    assert np.array_equal(turned, jittered(still, 8.0, "chair"))
    assert not np.allclose(turned, jittered(still, 8.0, "table"))
    assert np.allclose(jittered(still, 0.0, "chair"), still)


def test_all_cameras_stand_at_one_distance():
    cameras = cameras_at(jittered(directions("rings", 24), 5.0, "a"), 64, 40.0)
    distance = np.linalg.norm(cameras.positions, axis=1)
    assert np.allclose(distance, distance[0])
