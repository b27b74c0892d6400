import numpy as np
import pytest

from fit_gaussians.cpu.parameters import PlaneParameters
from fit_gaussians.draw import draw
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.recipe.relocation import DEAD_OPACITY, plan_relocation, share
from pipeline.values.splat import Gaussians
from tests.fit_gaussians.scenes import cameras, sphere_points, splat_of

SIZE = 96


@pytest.fixture
def half_dead() -> Gaussians:
    """A sphere every third Gaussian of which has died."""
    splat = splat_of(*sphere_points(1200), spacing=0.036)
    splat.opacities[:] = 0.7
    splat.opacities[::3] = 0.001
    return splat


def picture(splat: Gaussians) -> np.ndarray:
    image, _ = draw(splat, *cameras(3, SIZE), SIZE, SIZE, mode="antialiased", eps2d=0.1)
    return image


def test_a_relocation_keeps_the_number_and_nearly_the_picture(half_dead):
    parameters = PlaneParameters(half_dead, 0, Recipe())
    parameters.moments[:] = 1
    moved = parameters.relocate(np.random.default_rng(0))
    after = parameters.splat()
    assert moved == 400 and len(after) == len(half_dead)
    assert after.opacities.min() > DEAD_OPACITY
    change = np.abs(picture(after) - picture(half_dead)).mean()
    doubled = Gaussians(*(array.copy() for array in half_dead.arrays().values()))  # the same without the correction
    plan = plan_relocation(half_dead.opacities, np.random.default_rng(0))
    for array in doubled.arrays().values():
        array[plan.dead] = array[plan.sources]
    naive = np.abs(picture(doubled) - picture(half_dead)).mean()
    assert change < 0.01 and change < naive / 2
    untouched = np.setdiff1d(np.arange(len(half_dead)), np.concatenate([plan.dead, plan.sources]))
    assert np.array_equal(after.means[untouched], half_dead.means[untouched])
    assert (parameters.moments[:, :, untouched] == 1).all() and not parameters.moments[:, :, plan.dead].any()


def test_opacities_that_are_shared_add_up():
    old, sharers = np.array([0.2, 0.5, 0.9, 0.9], np.float32), np.array([1, 2, 2, 9])
    new, factors = share(old, sharers)
    assert 1 - (1 - new) ** sharers == pytest.approx(old, abs=1e-5)
    assert factors[0] == pytest.approx(1) and new[0] == pytest.approx(0.2)
    assert (factors[1:] < 1).all() and (factors > 0.3).all()


def test_opaque_places_are_chosen_more_often():
    opacities = np.array([0.001] * 2000 + [0.2, 0.8], np.float32)
    plan = plan_relocation(opacities, np.random.default_rng(0))
    assert np.mean(plan.sources == 2001) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("opacity", [0.001, 0.5])
def test_nothing_happens_where_all_or_none_are_dead(opacity):
    assert plan_relocation(np.full(10, opacity, np.float32), np.random.default_rng(0)) is None
