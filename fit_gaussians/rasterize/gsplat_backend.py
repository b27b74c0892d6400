"""Rasterization by gsplat's CUDA kernels, a whole batch in one call."""

import torch
from torch import Tensor

from fit_gaussians.rasterize.conventions import FAR_PLANE, NEAR_PLANE


def rasterize_gsplat(
    means: Tensor,  # [B, N, 3]
    quats: Tensor,  # [B, N, 4]
    scales: Tensor,  # [B, N, 3]
    opacities: Tensor,  # [B, N]
    colors: Tensor,  # [B, N, 3]
    world_to_camera: Tensor,  # [B, C, 4, 4]
    intrinsics: Tensor,  # [B, C, 4]
    width: int,
    height: int,
    *,
    background: Tensor | None,  # [B, C, 3] or [B, C, H, W, 3]
    antialiased: bool,
    eps2d: float,
) -> tuple[Tensor, Tensor]:
    """See `fit_gaussians.rasterize.rasterize`. Returns image [B, C, H, W, 3] and alpha [B, C, H, W]."""
    rasterization = _load_gsplat()
    if not means.is_cuda or means.dtype != torch.float32:
        raise ValueError(f"the gsplat backend needs float32 tensors on CUDA, not {means.dtype} on {means.device}")
    image, alpha, _ = rasterization(
        means,
        quats,
        scales,
        opacities,
        colors,
        world_to_camera,
        camera_matrices(intrinsics),
        width,
        height,
        near_plane=NEAR_PLANE,
        far_plane=FAR_PLANE,
        eps2d=eps2d,
        packed=False,  # nearly every Gaussian is in view: packing would save nothing
        rasterize_mode="antialiased" if antialiased else "classic",
    )
    alpha = alpha[..., 0]
    if background is not None:  # composited here, since gsplat knows no background per pixel
        if background.ndim == 3:
            background = background[:, :, None, None]
        image = image + (1 - alpha)[..., None] * background
    return image, alpha


def camera_matrices(intrinsics: Tensor) -> Tensor:
    """K [..., 3, 3] of fx, fy, cx, cy [..., 4]."""
    fx, fy, cx, cy = intrinsics.unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    return torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, one], -1).unflatten(-1, (3, 3))


def _load_gsplat():
    if not torch.cuda.is_available():
        raise RuntimeError("the gsplat backend needs a CUDA device, and torch finds none; use the numba backend")
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise RuntimeError(
            f"the gsplat backend cannot import gsplat ({error}): pip install 'clip-gs-corpus[gpu]'"
        ) from error
    return rasterization
