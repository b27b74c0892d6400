"""The CPU's loop against the one in torch, which autograd differentiates."""

import numpy as np
import pytest

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.cpu.parameters import PlaneParameters
from fit_gaussians.gpu.fit import fit_batch
from fit_gaussians.metrics import measure
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.stage import prepare
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of

CONFIG = FitConfig(num_gaussians=300, heldout_every=4, backend="numba")


@pytest.fixture(scope="module")
def task():
    """With some Gaussians that are dead."""
    task = prepare(sphere_row(views=8, size=48, points=1000), CONFIG)
    task.initial.opacities[::5] = 0.001
    return task


def both(task, recipe=Recipe(), **changes):  # noqa: B008 (frozen)
    config = CONFIG.model_copy(update=changes)
    ours, steps = fit_on_cpu(task.initial, task.train, task.seed, config, recipe)
    (theirs,), their_steps = fit_batch(
        [task.initial], [task.train], [task.seed], config, backend="numba", device="cpu", recipe=recipe
    )
    assert steps == their_steps
    return ours, theirs


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rasterize_mode": "classic", "eps2d": 0.3, "ssim_weight": 0.0},
        {"sh_degree": 1},
        {"sh_degree": 3, "ssim_every": 1},
        {"relocate_every": 2},
    ],
)
def test_a_few_steps_are_those_of_torch(task, changes):
    ours, theirs = both(task, Recipe(sh_ramp=0.0), iterations=4, **changes)
    pairs = [(ours.sh_rest, theirs.sh_rest)] if changes.get("sh_degree") else []
    pairs += [(getattr(ours, name), array) for name, array in theirs.arrays().items()]
    for x, y in pairs:
        moved = np.abs(x - y)
        assert np.median(moved) < 1e-6 and np.percentile(moved, 99) < 1e-3  # Adam makes a step of a gradient's sign


@pytest.mark.parametrize("sh_degree", [0, 2])
def test_a_fit_is_as_good_as_that_of_torch(task, sh_degree):
    scores = [
        measure(splat, task.heldout, "antialiased", 0.1).psnr
        for splat in both(task, iterations=40, sh_degree=sh_degree)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.2)
    assert scores[0] > measure(task.initial, task.heldout, "antialiased", 0.1).psnr + 1


def test_an_early_end_comes_at_the_same_step(task):
    both(task, iterations=300, early_stop=0.05)


def test_parameters_go_there_and_back():
    splat = splat_of(*sphere_points(21), spacing=0.05)
    again = PlaneParameters(splat, 2, Recipe()).splat()
    assert again.sh_degree == 2 and not again.sh_rest.any()
    for name, array in splat.arrays().items():
        assert getattr(again, name) == pytest.approx(array, rel=1e-4, abs=1e-6), name


def test_a_fit_that_diverges_ends_at_once_and_shows_it(task):
    splat, steps = fit_on_cpu(
        task.initial, task.train, 0, CONFIG.model_copy(update={"iterations": 50}), Recipe(means_rate=float("inf"))
    )
    assert steps < 5 and not splat.is_finite()
