"""The optimiser's loop: one view a step, a random background behind it, Adam with decaying rates."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.config import FitConfig
from fit_gaussians.gaussians import Gaussians
from fit_gaussians.losses import image_loss
from fit_gaussians.parameters import GaussianParameters
from fit_gaussians.rasterize import Backend, rasterize
from fit_gaussians.rasterize.loss import image_loss_cpu
from fit_gaussians.recipe import Recipe
from fit_gaussians.schedule import Schedule
from fit_gaussians.views import Views

CROP_MARGIN = 8
"""Pixels around the object's rectangle in a view that are still looked at."""


def optimise(
    initial: Sequence[Gaussians],
    views: Sequence[Views],
    seeds: Sequence[int],
    config: FitConfig,
    *,
    backend: Backend,
    device: torch.device,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
) -> tuple[list[Gaussians], int]:
    """Fit B splats to the training views of B objects at once.

    Args:
        initial: a splat per object; of a batch, the smaller ones are padded while they are fitted.
        views: the training views of each object; all objects of a batch have as many views, of one size.
        seeds: one per object, for the order of its views and its backgrounds: a splat does not depend on the
            others of its batch, up to rounding.
        config: `iterations`, `early_stop`, `rasterize_mode`, `eps2d` and the loss weights are used.

    Returns:
        The fitted splats, in order, and the steps made: fewer than `iterations` where `early_stop` ended them.
    """
    parameters = GaussianParameters(initial, recipe.rates(), device)
    optimiser = torch.optim.Adam(list(parameters.leaves.values()), betas=recipe.betas, eps=recipe.epsilon, fused=True)
    batches = TrainingViews(views, seeds, device)
    loss_of = image_loss_cpu if backend == "numba" else image_loss
    schedule = Schedule(config.iterations, batches.count, config.early_stop)
    while not schedule.done:
        truth, truth_alpha, background, world_to_camera, intrinsics = batches.next()
        image, alpha = rasterize(
            **parameters.activated(),
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
        schedule.step(loss)
    return parameters.splats(), schedule.steps


class TrainingViews:
    """Hands out, step by step, one view of each object over a random background.

    Every object's views come in an order of its own, shuffled anew when all have been seen. A batch of one object is
    cropped to the rectangle that holds it: the rest is background, which nothing but the loss on alpha would see.
    """

    def __init__(self, views: Sequence[Views], seeds: Sequence[int], device: torch.device):
        self.count = len(views[0])
        self.rngs = [np.random.default_rng(seed) for seed in seeds]
        self.orders: list[list[int]] = [[] for _ in views]
        self.colors = _batch([view.colors.movedim(-1, 1) for view in views], device).movedim(2, -1)  # [B, V, H, W, 3]
        self.alphas = _batch([view.alphas for view in views], device)  # [B, V, H, W]
        self.world_to_camera = _batch([view.world_to_camera for view in views], device)
        self.intrinsics = _batch([view.intrinsics for view in views], device)
        self.crops = [_rectangle(alpha) for alpha in views[0].alphas] if len(views) == 1 else None
        self.objects = torch.arange(len(views), device=device)

    def next(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Truth [B, 1, H, W, 3], its alpha [B, 1, H, W], background [B, 1, 3], world_to_camera [B, 1, 4, 4] and
        intrinsics [B, 1, 4]."""
        chosen = [self._next_view(index) for index in range(len(self.rngs))]
        background = torch.from_numpy(np.stack([rng.random((1, 3), np.float32) for rng in self.rngs]))
        background = background.to(self.colors.device)
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

    def _next_view(self, index: int) -> int:
        if not self.orders[index]:
            self.orders[index] = self.rngs[index].permutation(self.count).tolist()
        return self.orders[index].pop()


def _batch(tensors: list[Tensor], device: torch.device) -> Tensor:
    """[B, …] on the device; one tensor is not copied."""
    return (tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)).to(device)


def _rectangle(alpha: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of what is covered in [H, W], with a margin; all of an empty view."""
    height, width = alpha.shape
    rows, columns = torch.nonzero(alpha.amax(1))[:, 0].tolist(), torch.nonzero(alpha.amax(0))[:, 0].tolist()
    if not rows:
        return 0, 0, width, height
    return (
        max(columns[0] - CROP_MARGIN, 0),
        max(rows[0] - CROP_MARGIN, 0),
        min(columns[-1] + 1 + CROP_MARGIN, width),
        min(rows[-1] + 1 + CROP_MARGIN, height),
    )
