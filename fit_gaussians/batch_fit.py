"""The optimiser's loop over a batch of objects in torch, for a GPU: one view of each a step, a random background behind
it, Adam with decaying rates. `cpu_fit.py` is the same for one object on the CPU.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.config import FitConfig
from fit_gaussians.gaussians import Gaussians, rest_count
from fit_gaussians.losses import image_loss
from fit_gaussians.parameters import GaussianParameters
from fit_gaussians.rasterize import Backend, rasterize
from fit_gaussians.rasterize.harmonics import view_colors
from fit_gaussians.rasterize.loss import image_loss_cpu
from fit_gaussians.recipe import Recipe
from fit_gaussians.schedule import Schedule
from fit_gaussians.view_order import ViewOrder
from fit_gaussians.views import Views


def fit_batch(
    initial: Sequence[Gaussians],
    views: Sequence[Views],
    seeds: Sequence[int],
    config: FitConfig,
    *,
    backend: Backend,
    device: torch.device | str,
    recipe: Recipe,
) -> tuple[list[Gaussians], int]:
    """Fit B splats to the training views of B objects at once: see `optimise.optimise`."""
    parameters = GaussianParameters(initial, recipe.rates(), device, config.sh_degree)
    optimiser = torch.optim.Adam(list(parameters.leaves.values()), betas=recipe.betas, eps=recipe.epsilon, fused=True)
    batches = TrainingViews(views, seeds, device)
    loss_of = image_loss_cpu if backend == "numba" else image_loss
    schedule = Schedule(config.iterations, batches.count, config.early_stop)
    while not schedule.done:
        truth, truth_alpha, background, world_to_camera, intrinsics = batches.next()
        splat = parameters.activated()
        rest = splat.pop("sh_rest")[:, :, : rest_count(recipe.sh_degree_at(schedule.progress, config.sh_degree))]
        if rest.shape[2]:
            splat["colors"] = view_colors(splat["means"], splat["colors"], rest, world_to_camera)
        image, alpha = rasterize(
            **splat,
            world_to_camera=world_to_camera,
            intrinsics=intrinsics,
            width=truth.shape[3],
            height=truth.shape[2],
            background=background,
            mode=config.rasterize_mode,
            eps2d=config.eps2d,
            backend=backend,
        )
        loss = loss_of(image, truth, config.ssim_weight if schedule.steps % config.ssim_every == 0 else 0.0)
        loss = loss + config.alpha_weight * (alpha - truth_alpha).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.param_groups[0]["lr"] = recipe.decay(schedule.progress)
        optimiser.step()
        parameters.project()
        schedule.step(loss.detach())
    return parameters.splats(), schedule.steps


class TrainingViews:
    """Hands out, step by step, one view of each object over a random background.

    Every object's views come in an order of its own, shuffled anew when all have been seen. A batch of one object is
    cropped to the rectangle that holds it: the rest is background, which nothing but the loss on alpha would see.
    """

    def __init__(self, views: Sequence[Views], seeds: Sequence[int], device: torch.device | str):
        self.count = len(views[0])
        self.orders = [ViewOrder(seed, self.count) for seed in seeds]
        colors = [torch.from_numpy(np.moveaxis(view.colors, -1, 1)) for view in views]
        self.colors = _batch(colors, device).movedim(2, -1)  # [B, V, H, W, 3]
        self.alphas = _batch([torch.from_numpy(view.alphas) for view in views], device)  # [B, V, H, W]
        self.world_to_camera = _batch([torch.from_numpy(view.world_to_camera) for view in views], device)
        self.intrinsics = _batch([torch.from_numpy(view.intrinsics) for view in views], device)
        self.crops = views[0].object_rectangles() if len(views) == 1 else None
        self.objects = torch.arange(len(views), device=device)

    def next(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Truth [B, 1, H, W, 3], its alpha [B, 1, H, W], background [B, 1, 3], world_to_camera [B, 1, 4, 4] and
        intrinsics [B, 1, 4]."""
        chosen, backgrounds = zip(*(order.next() for order in self.orders), strict=True)
        background = torch.from_numpy(np.stack(backgrounds)[:, None]).to(self.colors.device)
        pick = (self.objects, torch.tensor(chosen, device=self.colors.device))
        intrinsics = self.intrinsics[pick]
        if self.crops:
            left, top, right, bottom = self.crops[chosen[0]]
            window = (slice(None), chosen[0], slice(top, bottom), slice(left, right))
            colors, alphas = self.colors[window], self.alphas[window]
            intrinsics = intrinsics - intrinsics.new_tensor([0, 0, left, top])
        else:
            colors, alphas = self.colors[pick], self.alphas[pick]
        truth = torch.addcmul(colors, (1 - alphas)[..., None], background[:, :, None])  # [B, H, W, 3]
        return truth[:, None], alphas[:, None], background, self.world_to_camera[pick][:, None], intrinsics[:, None]


def _batch(tensors: list[Tensor], device: torch.device | str) -> Tensor:
    """[B, …] on the device; one tensor is not copied."""
    return (tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)).to(device)
