"""The optimiser's loop over a batch of objects in torch, for a GPU: a view of each a step (or a few), random colours
behind them, Adam with decaying rates. `cpu/fit.py` is the same for one object on the CPU.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.config import FitConfig
from fit_gaussians.gpu.losses import image_losses, mean_inside
from fit_gaussians.gpu.parameters import GaussianParameters
from fit_gaussians.gpu.views import BatchViews
from fit_gaussians.rasterize import Backend, rasterize
from fit_gaussians.rasterize.harmonics import view_colors
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.recipe.schedule import Schedule
from fit_gaussians.views import Views
from pipeline.values.splat import Gaussians, rest_count


def fit_batch(
    initial: Sequence[Gaussians],
    views: Sequence[Views],
    seeds: Sequence[int],
    config: FitConfig,
    *,
    backend: Backend,
    device: torch.device | str,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
) -> tuple[list[Gaussians], int]:
    """Fit B splats to the training views of B objects at once.

    One call of the rasterizer draws all views of a step. The loss of an object is a mean over its own pixels, and the
    step of Adam does not depend on the scale of a gradient: an object fares in a batch as it would alone.

    Args:
        initial: a splat per object; the smaller ones are padded while they are fitted.
        views: the training views of each object; all objects have as many views, of one size.
        seeds: one per object, for the order of its views and its backgrounds.
        config: as for `cpu.fit.fit_on_cpu`, and `gpu_views_per_step`.
        backend: the rasterizer; it must work on `device`.
        device: where torch works.
        recipe: the optimiser's constants.

    Returns:
        The fitted splats, in order, and the steps made (of the longest fit): fewer than `iterations` where `early_stop`
        ended them.
    """
    parameters = GaussianParameters(initial, recipe.rates(), device, config.sh_degree)
    optimiser = torch.optim.Adam(list(parameters.leaves.values()), betas=recipe.betas, eps=recipe.epsilon, fused=True)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    batches = BatchViews(views, seeds, config.gpu_views_per_step, device)
    schedule = Schedule(config.iterations, batches.steps_per_pass, config.early_stop)
    while not schedule.done:
        windows = batches.next()
        degree = recipe.sh_degree_at(schedule.progress, config.sh_degree)
        image, alpha = rasterize(
            **_shaded(parameters, degree, windows.world_to_camera),
            world_to_camera=windows.world_to_camera,
            intrinsics=windows.intrinsics,
            width=windows.truth.shape[3],
            height=windows.truth.shape[2],
            background=windows.background,
            mode=config.rasterize_mode,
            eps2d=config.eps2d,
            backend=backend,
        )
        ssim_weight = config.ssim_weight if schedule.steps % config.ssim_every == 0 else 0.0
        losses = image_losses(image, windows.truth, windows.inside, ssim_weight)  # [B, C]
        losses = losses + config.alpha_weight * mean_inside((alpha - windows.truth_alpha).abs(), windows.inside)
        loss = losses.mean(1).sum()
        if config.relocate_every:
            loss = loss + recipe.transparency_weight * parameters.transparency()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.param_groups[0]["lr"] = recipe.decay(schedule.progress)
        optimiser.step()
        parameters.project()
        schedule.step(loss.detach())
        if recipe.relocates_at(schedule, config.relocate_every):
            parameters.relocate(rngs, optimiser)
    return parameters.splats(), schedule.steps


def _shaded(parameters: GaussianParameters, degree: int, world_to_camera: Tensor) -> dict[str, Tensor]:
    """The Gaussians as `rasterize` takes them, with view-dependent colours up to the degree."""
    splat = parameters.activated()
    rest = splat.pop("sh_rest")[:, :, : rest_count(degree)]
    if rest.shape[2]:
        splat["colors"] = view_colors(splat["means"], splat["colors"], rest, world_to_camera)
    return splat
