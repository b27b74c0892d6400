"""Rasterization on the CPU as a function of torch: autograd around the kernels."""

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.rasterize.kernels.transfer import add_gradients
from fit_gaussians.rasterize.kernels.view import POOL, CpuView, camera_arrays


def rasterize_cpu(
    means: Tensor,  # [B, N, 3]
    quats: Tensor,  # [B, N, 4]
    scales: Tensor,  # [B, N, 3]
    opacities: Tensor,  # [B, N]
    colors: Tensor,  # [B, N, 3] or [B, C, N, 3]
    world_to_camera: Tensor,  # [B, C, 4, 4]
    intrinsics: Tensor,  # [B, C, 4]
    width: int,
    height: int,
    *,
    background: Tensor | None,  # [B, C, 3] or [B, C, H, W, 3]
    antialiased: bool,
    eps2d: float,
) -> tuple[Tensor, Tensor]:
    """See `fit_gaussians.rasterize.rasterize`. Returns image [B, C, H, W, 3] and alpha [B, C, H, W].

    Runs in the calling thread and releases the GIL while it computes. In memory the image's channels are planes, as
    the kernels write them; operations that keep a tensor's strides keep them so, and save a copy on the way back.
    """
    if means.device.type != "cpu" or means.dtype != torch.float32:
        raise ValueError(f"the numba backend needs float32 tensors on the CPU, not {means.dtype} on {means.device}")
    cameras = camera_arrays(_array(world_to_camera), _array(intrinsics))
    return _Rasterize.apply(
        means, quats, scales, opacities, colors, background, cameras, width, height, antialiased, eps2d
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _planes(image: Tensor) -> np.ndarray:  # [B, C, 3, H, W]
    """Of images [B, C, H, W, 3]: the kernels keep each channel in a plane of its own; no copy where it lies so."""
    return _array(image.movedim(-1, 2))


def _per_view(colors: np.ndarray, cameras: int) -> np.ndarray:
    """[B, C, N, 3] of colours [B, N, 3] or [B, C, N, 3]; a view of them."""
    if colors.ndim == 4:
        return colors
    B, N = colors.shape[:2]
    return np.lib.stride_tricks.as_strided(
        colors, (B, cameras, N, 3), (colors.strides[0], 0, *colors.strides[1:]), writeable=True
    )


class _Lease:
    """Views that belong to one call until autograd forgets it: backward may run twice, or never."""

    def __init__(self):
        self.views: list[CpuView] = []

    def take(self) -> CpuView:
        self.views.append(POOL.take())
        return self.views[-1]

    def __del__(self):
        POOL.give_back(self.views)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        means,
        quats,
        scales,
        opacities,
        colors,
        background,
        cameras,
        width,
        height,
        antialiased,
        eps2d,
    ):
        B, C = cameras.shape[:2]
        image = means.new_empty(B, C, 3, height, width).movedim(2, -1)
        alpha = means.new_empty(B, C, height, width)
        arrays = [_array(tensor) for tensor in (means, quats, scales, opacities)]
        per_view = _per_view(_array(colors), C)
        if background is None:
            backgrounds = np.zeros((B, C, 3, 1, 1), np.float32)
        elif background.ndim == 3:
            backgrounds = _array(background[..., None, None])
        else:
            backgrounds = _planes(background)
        image_array, alpha_array = _planes(image), alpha.numpy()
        ctx.lease = _Lease()
        for b in range(B):
            for c in range(C):
                view = ctx.lease.take()
                view.load([*(array[b] for array in arrays), per_view[b, c]])
                view.forward(
                    means.shape[1],
                    cameras[b, c],
                    (width, height),
                    backgrounds[b, c],
                    antialiased,
                    eps2d,
                    image_array[b, c],
                    alpha_array[b, c],
                )
        ctx.shape, ctx.colors_shape = tuple(means.shape[:2]), colors.shape
        ctx.background_shape = None if background is None else background.shape
        ctx.save_for_backward(image, alpha)
        return image, alpha

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, v_image, v_alpha):
        B, N = ctx.shape
        image, alpha = ctx.saved_tensors
        C = image.shape[1]
        shapes = ((B, N, 3), (B, N, 4), (B, N, 3), (B, N), ctx.colors_shape)
        gradients = [image.new_zeros(shape) for shape in shapes]
        *arrays, v_colors = (gradient.numpy() for gradient in gradients)
        v_colors = _per_view(v_colors, C)
        image_array, v_image_array = _planes(image), _planes(v_image)
        alpha_array, v_alpha_array = _array(alpha), _array(v_alpha)
        for index, view in enumerate(ctx.lease.views):
            b, c = divmod(index, C)
            view.backward(image_array[b, c], alpha_array[b, c], v_image_array[b, c], v_alpha_array[b, c])
            add_gradients(view.gradients, *(array[b] for array in arrays), v_colors[b, c])
        v_background = None
        if ctx.needs_input_grad[5]:
            v_background = (1 - alpha)[..., None] * v_image
            if len(ctx.background_shape) == 3:
                v_background = v_background.sum((2, 3))
        return (*gradients, v_background, None, None, None, None, None)
