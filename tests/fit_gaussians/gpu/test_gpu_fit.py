"""The batched loop of the GPU, drawn here by the reference rasterizer and by the CPU's kernels."""

import numpy as np
import pytest

from fit_gaussians.config import FitConfig
from fit_gaussians.gpu.fit import fit_batch
from fit_gaussians.gpu.parameters import GaussianParameters
from fit_gaussians.metrics import measure
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.stage import prepare
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of, views_row

CONFIG = FitConfig(num_gaussians=200, iterations=5, heldout_every=4)


@pytest.fixture(scope="module")
def tasks():
    """Two objects that differ in their number of Gaussians and in their size."""
    points, normals, colors = sphere_points(120)
    small = views_row(
        splat_of(points / 2, normals, colors, 0.03), points / 2, normals, colors, views=8, size=48, uid="small"
    )
    return [prepare(row, CONFIG) for row in (sphere_row(uid="large", views=8, size=48, points=2000), small)]


def fit(tasks, config=CONFIG, backend="numba"):
    splats, _ = fit_batch(
        [task.initial for task in tasks],
        [task.train for task in tasks],
        [task.seed for task in tasks],
        config,
        backend=backend,
        device="cpu",
    )
    return splats


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("change", [{}, {"gpu_views_per_step": 2, "sh_degree": 1}])
def test_an_object_is_fitted_in_a_batch_as_alone(tasks, backend, change):
    """Neither its neighbour, nor the padding of the smaller splat, nor the larger window changes it."""
    config = CONFIG.model_copy(update=change)
    together = fit(tasks, config, backend)
    for task, splat in zip(tasks, together, strict=True):
        (alone,) = fit([task], config, backend)
        assert len(splat) == len(alone) == len(task.initial)
        assert np.abs(alone.means - task.initial.means).mean() > 1e-4
        for name, array in (alone.arrays() | {"sh_rest": alone.sh_rest}).items():
            assert np.allclose(getattr(splat, name), array, atol=1e-5), name


def test_more_views_a_step_serve_the_fit(tasks):
    scores = []
    for views_per_step in (1, 3):
        config = CONFIG.model_copy(update={"iterations": 24, "gpu_views_per_step": views_per_step})
        fitted = zip(tasks, fit(tasks, config), strict=True)
        scores.append([measure(splat, task.heldout, "antialiased", 0.1).psnr for task, splat in fitted])
    assert min(scores[0]) > 20 and np.mean(scores[1]) > np.mean(scores[0]) - 0.3


def test_parameters_go_there_and_back():
    small, large = (splat_of(*sphere_points(count), spacing=0.05) for count in (20, 30))
    parameters = GaussianParameters([small, large], Recipe().rates(), "cpu")
    activated = parameters.activated()
    assert activated["means"].shape == (2, 30, 3)
    assert activated["opacities"][0, 20:].max() < 1e-9  # padding
    for splat, again in zip((small, large), parameters.splats(), strict=True):
        for name, array in splat.arrays().items():
            assert getattr(again, name) == pytest.approx(array, rel=1e-4, abs=1e-6), name


def test_zero_iterations_give_back_the_start(tasks):
    config = CONFIG.model_copy(update={"iterations": 0})
    task = tasks[0]
    (splat,), steps = fit_batch([task.initial], [task.train], [1], config, backend="numba", device="cpu")
    assert steps == 0 and np.allclose(splat.means, task.initial.means)
