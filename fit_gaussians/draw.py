"""A splat as images: numpy in, numpy out, whichever rasterizer draws. No gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fit_gaussians.rasterize import Backend, Mode
from pipeline.values.splat import Gaussians

if TYPE_CHECKING:
    import torch


def draw(
    splat: Gaussians,
    world_to_camera: np.ndarray,
    intrinsics: np.ndarray,
    width: int,
    height: int,
    *,
    mode: Mode,
    eps2d: float,
    backend: Backend = "numba",
    device: torch.device | str = "cpu",
    background: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The splat from C cameras; view-dependent colours where it has them.

    Args:
        world_to_camera: [C, 4, 4], OpenCV axes.
        intrinsics: [C, 4] fx, fy, cx, cy in pixels.
        mode, eps2d: as the splat was fitted (`rasterize_mode` and `eps2d` of its row).
        device: where torch draws, unless the backend is `numba`.
        background: grey that the splat is composited over, in [0, 1].

    Returns:
        image [C, H, W, 3] and alpha [C, H, W], float32.

    Raises:
        ValueError: a Gaussian or a camera is not finite.
    """
    world_to_camera = np.ascontiguousarray(world_to_camera, np.float32).reshape(-1, 4, 4)
    intrinsics = np.ascontiguousarray(intrinsics, np.float32)
    arguments = (splat, world_to_camera, intrinsics, width, height, mode, eps2d, background)
    if backend == "numba":
        return _draw_on_cpu(*arguments)
    return _draw_with_torch(*arguments, backend, device)


def _draw_on_cpu(splat, world_to_camera, intrinsics, width, height, mode, eps2d, background):
    from fit_gaussians.rasterize.kernels.layout import padded
    from fit_gaussians.rasterize.kernels.shade import shade
    from fit_gaussians.rasterize.kernels.view import POOL, camera_arrays

    cameras = camera_arrays(world_to_camera, intrinsics)
    image = np.empty((len(cameras), 3, height, width), np.float32)
    alpha = np.empty((len(cameras), height, width), np.float32)
    color = np.full((3, 1, 1), background, np.float32)
    arrays = [np.ascontiguousarray(array, np.float32) for array in splat.arrays().values()]
    coefficients = np.concatenate([splat.colors[:, None], splat.sh_rest], 1).reshape(len(splat), -1).T
    spare = padded(len(splat)) - len(splat)
    coefficients = np.pad(coefficients, ((0, 0), (0, spare))).astype(np.float32, order="C")
    view = POOL.take()
    try:
        view.load(arrays)
        for index, camera in enumerate(cameras):
            if splat.sh_degree:
                shade(coefficients, camera, splat.sh_degree, len(splat), view.gaussians)
            view.forward(
                len(splat), camera, (width, height), color, mode == "antialiased", eps2d, image[index], alpha[index]
            )
    finally:
        POOL.give_back([view])
    return np.moveaxis(image, 1, -1), alpha


def _draw_with_torch(splat, world_to_camera, intrinsics, width, height, mode, eps2d, background, backend, device):
    import torch

    from fit_gaussians.rasterize import rasterize
    from fit_gaussians.rasterize.harmonics import view_colors

    tensors = {name: torch.from_numpy(array)[None].to(device) for name, array in splat.arrays().items()}
    cameras, focal = (torch.from_numpy(array)[None].to(device) for array in (world_to_camera, intrinsics))
    with torch.no_grad():
        if splat.sh_degree:
            rest = torch.from_numpy(splat.sh_rest)[None].to(device)
            tensors["colors"] = view_colors(tensors["means"], tensors["colors"], rest, cameras)
        image, alpha = rasterize(
            **tensors,
            world_to_camera=cameras,
            intrinsics=focal,
            width=width,
            height=height,
            background=torch.full((1, len(world_to_camera), 3), background, device=device),
            mode=mode,
            eps2d=eps2d,
            backend=backend,
        )
    return image[0].cpu().numpy(), alpha[0].cpu().numpy()
