import numpy as np
import pytest
import torch

from fit_gaussians.batch_fit import TrainingViews, fit_batch
from fit_gaussians.config import FitConfig
from fit_gaussians.metrics import measure
from fit_gaussians.parameters import GaussianParameters
from fit_gaussians.recipe import Recipe
from fit_gaussians.stage import prepare
from fit_gaussians.views import CROP_MARGIN
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of

CONFIG = FitConfig(num_gaussians=600, iterations=40, heldout_every=4)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tasks():
    """Two objects of different numbers of Gaussians and one shape of views."""
    rows = [sphere_row(uid="a", views=8, size=48, points=2000), sphere_row(uid="b", views=8, size=48, points=400)]
    return [prepare(row, CONFIG) for row in rows]


def fit(tasks):
    splats, _ = fit_batch(
        [task.initial for task in tasks],
        [task.train for task in tasks],
        [task.seed for task in tasks],
        CONFIG,
        backend="numba",
        device=CPU,
        recipe=Recipe(),
    )
    return splats


def test_a_batch_fits_as_well_as_one_by_one(tasks):
    """The batched path of the GPU, drawn by the CPU's kernels: padding and neighbours change next to nothing."""
    together = fit(tasks)
    for task, splat in zip(tasks, together, strict=True):
        (alone,) = fit([task])
        assert len(splat) == len(alone) == len(task.initial)
        scores = [measure(s, task.heldout, "antialiased", 0.1).psnr for s in (splat, alone)]
        assert scores[0] == pytest.approx(scores[1], abs=0.7)


def test_parameters_go_there_and_back():
    small, large = (splat_of(*sphere_points(count), spacing=0.05) for count in (20, 30))
    parameters = GaussianParameters([small, large], Recipe().rates(), CPU)
    activated = parameters.activated()
    assert activated["means"].shape == (2, 30, 3)
    assert activated["opacities"][0, 20:].max() < 1e-9  # padding
    for splat, again in zip((small, large), parameters.splats(), strict=True):
        for name, array in splat.arrays().items():
            assert getattr(again, name) == pytest.approx(array, rel=1e-4, abs=1e-6), name


def test_every_view_comes_once_in_a_pass_and_in_an_order_of_its_own(tasks):
    views = TrainingViews([task.train for task in tasks], [0, 1], CPU)
    seen = [views.next()[3][:, 0] for _ in range(2 * views.count)]  # world_to_camera tells the view
    orders = [[int((cameras[b] == views.world_to_camera[b]).all((1, 2)).nonzero()) for cameras in seen] for b in (0, 1)]
    for order in orders:
        assert sorted(order[: views.count]) == sorted(order[views.count :]) == list(range(views.count))
        assert order[: views.count] != order[views.count :]
    assert orders[0] != orders[1]


def test_a_crop_is_the_same_picture_with_its_camera_moved():
    task = prepare(sphere_row(views=4, size=80, points=500), CONFIG)
    views = TrainingViews([task.train], [0], CPU)
    truth, alpha, background, world_to_camera, intrinsics = views.next()
    height, width = alpha.shape[2:]
    assert height < task.train.height and width < task.train.width
    index = int((world_to_camera[0, 0] == torch.from_numpy(task.train.world_to_camera)).all((1, 2)).nonzero())
    left, top = (task.train.intrinsics[index] - intrinsics[0, 0].numpy())[2:].astype(int).tolist()
    window = (index, slice(top, top + height), slice(left, left + width))
    assert np.array_equal(alpha[0, 0], task.train.alphas[window])
    assert np.allclose(truth[0, 0], task.train.over(background[0, 0].numpy())[window], atol=1e-6)
    assert not alpha[0, 0, :CROP_MARGIN].any() and alpha[0, 0, CROP_MARGIN].any()
    assert task.train.alphas[index].sum() == pytest.approx(float(alpha.sum()))


def test_zero_iterations_give_back_the_start(tasks):
    config = CONFIG.model_copy(update={"iterations": 0})
    task = tasks[0]
    (splat,), steps = fit_batch([task.initial], [task.train], [1], config, backend="numba", device=CPU, recipe=Recipe())
    assert steps == 0 and np.allclose(splat.means, task.initial.means)
