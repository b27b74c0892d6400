"""From initial Gaussians to fitted ones: which loop runs where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.rasterize import Backend
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.views import Views
from pipeline.values.splat import Gaussians

if TYPE_CHECKING:
    import torch


def optimise(
    initial: Sequence[Gaussians],
    views: Sequence[Views],
    seeds: Sequence[int],
    config: FitConfig,
    *,
    backend: Backend,
    device: torch.device | str = "cpu",
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
) -> tuple[list[Gaussians], int]:
    """Fit B splats to the training views of B objects: on a GPU all at once, with `numba` one after the other.

    Args:
        initial: a splat per object; of a batch, the smaller ones are padded while they are fitted.
        views: the training views of each object; all objects of a batch have as many views, of one size.
        seeds: one per object, for the order of its views and its backgrounds: a splat does not depend on the
            others of its batch, up to rounding.
        config: `iterations`, `early_stop`, `sh_degree`, `rasterize_mode`, `eps2d` and the loss weights are used.

        device: where torch works, unless the backend is `numba`.

    Returns:
        The fitted splats, in order, and the steps made (of the longest fit): fewer than `iterations` where `early_stop`
        ended them.
    """
    if backend == "numba":
        parts = zip(initial, views, seeds, strict=True)
        fits = [fit_on_cpu(splat, seen, seed, config, recipe) for splat, seen, seed in parts]
        return [splat for splat, _ in fits], max(steps for _, steps in fits)
    from fit_gaussians.gpu.fit import fit_batch

    return fit_batch(initial, views, seeds, config, backend=backend, device=device, recipe=recipe)
