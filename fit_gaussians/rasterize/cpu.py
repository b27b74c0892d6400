"""Rasterization on the CPU: the kernels' workspaces, and autograd around them."""

import threading

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.rasterize.binning import DIGITS, count_tiles, fill_tile_lists, find_visible, sort_by_depth
from fit_gaussians.rasterize.layout import (
    CAMERA_SIZE,
    NUM_GAUSSIAN_PLANES,
    NUM_GRADIENT_PLANES,
    RECORD_SIZE,
    padded,
)
from fit_gaussians.rasterize.projection import project, project_backward
from fit_gaussians.rasterize.tiles import BUFFER_SIZE, SPANS_SHAPE, blend, blend_backward
from fit_gaussians.rasterize.transfer import add_gradients, load_gaussians

_NAME_OF_PLANE = ["means"] * 3 + ["quats"] * 4 + ["scales"] * 3 + ["opacities"] + ["colors"] * 3


def rasterize_cpu(
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
    means2d_grad: Tensor | None,  # [B, C, N, 2]
) -> tuple[Tensor, Tensor]:
    """See `fit_gaussians.rasterize.rasterize`. Returns image [B, C, H, W, 3] and alpha [B, C, H, W].

    Runs in the calling thread and releases the GIL while it computes. In memory the image's channels are planes, as
    the kernels write them; operations that keep a tensor's strides keep them so, and save a copy on the way back.
    """
    if means.device.type != "cpu" or means.dtype != torch.float32:
        raise ValueError(f"the numba backend needs float32 tensors on the CPU, not {means.dtype} on {means.device}")
    if means2d_grad is not None and not (means2d_grad.is_contiguous() and means2d_grad.dtype == torch.float32):
        raise ValueError("means2d_grad must be a contiguous float32 tensor")
    cameras = _camera_arrays(world_to_camera, intrinsics)
    return _Rasterize.apply(
        means, quats, scales, opacities, colors, background, cameras, width, height, antialiased, eps2d, means2d_grad
    )


def _camera_arrays(world_to_camera: Tensor, intrinsics: Tensor) -> np.ndarray:  # [B, C, 16]
    parts = [world_to_camera[..., :3, :3].flatten(-2), world_to_camera[..., :3, 3], intrinsics]
    cameras = torch.cat(parts, -1).detach().numpy()
    assert cameras.shape[-1] == CAMERA_SIZE
    if not np.isfinite(cameras).all():
        raise ValueError("world_to_camera or intrinsics contain NaN or infinity")
    return cameras


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _planes(image: Tensor) -> np.ndarray:  # [B, C, 3, H, W]
    """Of images [B, C, H, W, 3]: the kernels keep each channel in a plane of its own; no copy where it lies so."""
    return _array(image.movedim(-1, 2))


class _View:
    """What one view needs between its forward and its backward pass, and scratch; grows and is used again."""

    def __init__(self):
        self.capacity = self.list_capacity = self.tile_capacity = -1
        self.spans = np.zeros(SPANS_SHAPE, np.float32)
        self.buffer = np.zeros(BUFFER_SIZE, np.float32)
        self.histogram = np.zeros(DIGITS, np.int32)

    def _reserve(self, count: int, width: int, height: int) -> None:
        columns = padded(max(count, 1))
        if columns > self.capacity:
            self.capacity = columns
            self.gaussians = np.zeros((NUM_GAUSSIAN_PLANES, columns), np.float32)
            self.gradients = np.zeros((NUM_GRADIENT_PLANES, columns), np.float32)
            self.records = np.zeros((columns, RECORD_SIZE), np.float32)
            self.sums = np.zeros((columns, RECORD_SIZE), np.float32)
            self.depths = np.zeros(columns, np.float32)
            self.order, self.spare_order = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
            self.keys, self.spare_keys = np.zeros(columns, np.uint32), np.zeros(columns, np.uint32)
            self.tile_boxes = np.zeros((columns, 4), np.int16)
        tiles = count_tiles(width, height)
        if tiles > self.tile_capacity:
            self.tile_capacity = tiles
            self.tile_starts, self.tile_ends = np.zeros(tiles + 1, np.int32), np.zeros(tiles, np.int32)

    def forward(self, gaussians, camera, size, background, antialiased, eps2d, image, alpha) -> None:
        """Render one view into image [3, H, W] and alpha [H, W]."""
        self.camera, self.size, self.count = camera, size, len(gaussians[0])
        self.mode = (np.float32(eps2d), antialiased)
        self._reserve(self.count, *size)
        wrong_plane = load_gaussians(*gaussians, self.gaussians)
        if wrong_plane >= 0:
            name = _NAME_OF_PLANE[wrong_plane]
            raise ValueError(f"{name} contain NaN or infinity")
        project(self.gaussians, camera, *size, *self.mode, self.count, self.records, self.depths)
        visible, listed = find_visible(
            self.records, self.depths, self.count, *size, self.order, self.keys, self.tile_boxes, self.tile_starts
        )
        if listed > self.list_capacity:
            self.list_capacity = listed * 5 // 4
            self.tile_lists = np.zeros(self.list_capacity, np.int32)
        sort_by_depth(self.order, self.keys, self.spare_order, self.spare_keys, visible, self.histogram)
        lists = (self.tile_starts, self.tile_ends, self.tile_lists)
        fill_tile_lists(self.tile_boxes, self.order, visible, *size, *lists)
        blend(self.records, self.tile_starts, self.tile_lists, *size, background, self.spans, self.buffer, image, alpha)

    def backward(self, image, alpha, v_image, v_alpha, v_gaussians, v_means2d) -> None:
        """Add this view's gradients to those of the Gaussians and of their projected centres."""
        blend_backward(
            self.records, self.count, self.tile_starts, self.tile_lists, *self.size,
            image, alpha, v_image, v_alpha, self.spans, self.buffer, self.sums,
        )  # fmt: skip
        project_backward(
            self.gaussians, self.camera, *self.size, *self.mode, self.count, self.records, self.sums, self.gradients
        )
        add_gradients(self.gradients, *v_gaussians, v_means2d)


class _ViewPool:
    """Idle views, for any thread to take. A few are kept, so that a training loop allocates nothing after its start."""

    MAX_IDLE = 16

    def __init__(self):
        self._lock = threading.Lock()
        self._idle: list[_View] = []

    def take(self) -> _View:
        with self._lock:
            return self._idle.pop() if self._idle else _View()

    def give_back(self, views: list[_View]) -> None:
        with self._lock:
            self._idle.extend(views[: self.MAX_IDLE - len(self._idle)])


_POOL = _ViewPool()


class _Lease:
    """Views that belong to one call until autograd forgets it: backward may run twice, or never."""

    def __init__(self):
        self.views: list[_View] = []

    def take(self) -> _View:
        self.views.append(_POOL.take())
        return self.views[-1]

    def __del__(self):
        _POOL.give_back(self.views)


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
        means2d_grad,
    ):
        B, C = cameras.shape[:2]
        image = means.new_empty(B, C, 3, height, width).movedim(2, -1)
        alpha = means.new_empty(B, C, height, width)
        arrays = [_array(tensor) for tensor in (means, quats, scales, opacities, colors)]
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
                ctx.lease.take().forward(
                    [array[b] for array in arrays],
                    cameras[b, c],
                    (width, height),
                    backgrounds[b, c],
                    antialiased,
                    eps2d,
                    image_array[b, c],
                    alpha_array[b, c],
                )
        ctx.shape = tuple(means.shape[:2])
        ctx.background_shape = None if background is None else background.shape
        ctx.means2d_grad = means2d_grad
        ctx.save_for_backward(image, alpha)
        return image, alpha

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, v_image, v_alpha):
        B, N = ctx.shape
        image, alpha = ctx.saved_tensors
        C = image.shape[1]
        gradients = [image.new_zeros(B, N, *rest) for rest in ((3,), (4,), (3,), (), (3,))]
        arrays = [gradient.numpy() for gradient in gradients]
        means2d = np.zeros((B, C, 0, 2), np.float32) if ctx.means2d_grad is None else ctx.means2d_grad.numpy()
        image_array, v_image_array = _planes(image), _planes(v_image)
        alpha_array, v_alpha_array = _array(alpha), _array(v_alpha)
        for index, view in enumerate(ctx.lease.views):
            b, c = divmod(index, C)
            view.backward(
                image_array[b, c],
                alpha_array[b, c],
                v_image_array[b, c],
                v_alpha_array[b, c],
                [array[b] for array in arrays],
                means2d[b, c],
            )
        v_background = None
        if ctx.needs_input_grad[5]:
            v_background = (1 - alpha)[..., None] * v_image
            if len(ctx.background_shape) == 3:
                v_background = v_background.sum((2, 3))
        return (*gradients, v_background, None, None, None, None, None, None)
