import numpy as np
import pytest

from fit_gaussians.config import FitConfig
from fit_gaussians.gpu.views import BatchViews
from fit_gaussians.stage import prepare
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of, views_row

CONFIG = FitConfig(num_gaussians=100, heldout_every=4)


@pytest.fixture(scope="module")
def views():
    """The six training views of two objects, of which one is half as large as the other."""
    points, normals, colors = sphere_points(500)
    small = views_row(splat_of(points / 2, normals, colors, 0.02), points / 2, normals, colors, views=8, size=80)
    return [prepare(row, CONFIG).train for row in (sphere_row(views=8, size=80, points=500), small)]


def views_of(cameras, views):
    """Which views the cameras [C, 4, 4] belong to."""
    return [int((camera.numpy() == views.world_to_camera).all((1, 2)).nonzero()[0][0]) for camera in cameras]


def test_every_view_comes_once_in_a_pass_and_in_an_order_of_its_own(views):
    batch = BatchViews(views, [0, 1], 1, "cpu")
    seen = [batch.next().world_to_camera for _ in range(12)]
    orders = [[views_of(cameras[b], views[b])[0] for cameras in seen] for b in (0, 1)]
    for order in orders:
        assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
        assert order[:6] != order[6:]
    assert orders[0] != orders[1]


def test_several_views_a_step_are_those_of_as_many_steps(views):
    one, two = BatchViews(views, [0, 1], 1, "cpu"), BatchViews(views, [0, 1], 2, "cpu")
    assert (one.steps_per_pass, two.steps_per_pass) == (6, 3)
    for _ in range(3):
        first, second, both = one.next(), one.next(), two.next()
        for name in ("background", "world_to_camera"):
            parts = [getattr(windows, name)[:, 0] for windows in (first, second)]
            assert np.array_equal(getattr(both, name).numpy(), np.stack(parts, 1)), name


def test_windows_are_the_picture_with_its_camera_moved(views):
    windows = BatchViews(views, [0, 1], 3, "cpu").next()
    assert max(windows.truth.shape[2:4]) < 80
    for b, of_object in enumerate(views):
        for c, index in enumerate(views_of(windows.world_to_camera[b], of_object)):
            left, top = (of_object.intrinsics[index] - windows.intrinsics[b, c].numpy())[2:].astype(int)
            window = np.s_[index, top : top + windows.truth.shape[2], left : left + windows.truth.shape[3]]
            assert np.allclose(windows.truth_alpha[b, c], of_object.alphas[window])
            assert np.allclose(windows.truth[b, c], of_object.over(windows.background[b, c])[window], atol=1e-6)
            x, y, right, bottom = of_object.object_rectangles()[index]
            inside = np.zeros((80, 80), bool)
            inside[y:bottom, x:right] = True
            assert np.array_equal(windows.inside[b, c], inside[window[1:]])
            assert windows.inside[b, c].sum() == inside.sum()
