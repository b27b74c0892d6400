"""What a batch of objects is compared with, step by step: a few views of each, cut to where the objects are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.recipe.view_order import ViewOrder
from fit_gaussians.views import Views


class Windows(NamedTuple):
    """Windows of one size into C views of each of B objects."""

    truth: Tensor
    """[B, C, H, W, 3] over the background."""
    truth_alpha: Tensor
    """[B, C, H, W]"""
    inside: Tensor
    """[B, C, H, W] bool: the rectangle that holds the object. What is outside of it, in a window that must be as large
    as the largest rectangle, is not looked at: so an object's loss does not depend on the others of its batch."""
    background: Tensor
    """[B, C, 3]"""
    world_to_camera: Tensor
    """[B, C, 4, 4]"""
    intrinsics: Tensor
    """[B, C, 4] of the window."""


class BatchViews:
    """Hands out, step by step, `views_per_step` views of each object over random backgrounds, as `ViewOrder` says.

    Pixels stay bytes on the device: 30 views of 256² of 64 objects are 500 MB.
    """

    def __init__(self, views: Sequence[Views], seeds: Sequence[int], views_per_step: int, device: torch.device | str):
        self._views_per_step = views_per_step
        self._device = device
        self._orders = [ViewOrder(seed, len(view)) for seed, view in zip(seeds, views, strict=True)]
        self._rectangles = np.array([view.object_rectangles() for view in views])  # [B, V, 4]
        self._pixels = _stack([view.pixels for view in views], device)  # [B, V, 4, H, W] uint8, straight alpha
        self._world_to_camera = _stack([view.world_to_camera for view in views], device)
        self._intrinsics = _stack([view.intrinsics for view in views], device)
        self.steps_per_pass = -(-len(views[0]) // views_per_step)

    def next(self) -> Windows:
        picked, colors = self._choose()
        left, top, right, bottom = np.moveaxis(np.take_along_axis(self._rectangles, picked[..., None], 1), -1, 0)
        width, height = int((right - left).max()), int((bottom - top).max())
        x = np.minimum(left, self._pixels.shape[4] - width)  # of the window's left column; it must not leave the view
        y = np.minimum(top, self._pixels.shape[3] - height)
        numbers = torch.from_numpy(np.stack([picked, x, y, left, top, right, bottom])).to(self._device)  # one transfer
        chosen, x, y, left, top, right, bottom = numbers[..., None, None]  # [B, C, 1, 1] each
        rows = y + torch.arange(height, device=self._device)[:, None]
        columns = x + torch.arange(width, device=self._device)
        objects = torch.arange(len(self._orders), device=self._device)[:, None, None, None]
        rgba = self._pixels[objects, chosen, :, rows, columns].float() / 255  # [B, C, H, W, 4]
        alpha = rgba[..., 3]
        background = torch.from_numpy(colors).to(self._device)
        pick = (objects[..., 0, 0], chosen[..., 0, 0])
        corner = torch.stack([x, y], -1)[:, :, 0, 0]  # [B, C, 2]
        return Windows(
            truth=rgba[..., :3] * alpha[..., None] + (1 - alpha)[..., None] * background[:, :, None, None],
            truth_alpha=alpha,
            inside=(rows >= top) & (rows < bottom) & (columns >= left) & (columns < right),
            background=background,
            world_to_camera=self._world_to_camera[pick],
            intrinsics=self._intrinsics[pick] - torch.nn.functional.pad(corner, (2, 0)),
        )

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the next views [B, C] and their backgrounds [B, C, 3]."""
        chosen, backgrounds = [], []
        for order in self._orders:
            indices, colors = zip(*(order.next() for _ in range(self._views_per_step)), strict=True)
            chosen.append(indices)
            backgrounds.append(colors)
        return np.array(chosen), np.array(backgrounds)


def _stack(arrays: list[np.ndarray], device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(device)
