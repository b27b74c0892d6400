"""Rasterization of one view by the CPU's kernels: which run in which order, and their workspace. Knows no torch."""

import threading
from collections.abc import Sequence

import numpy as np

from fit_gaussians.rasterize.kernels.binning import DIGITS, count_tiles, fill_tile_lists, find_visible, sort_by_depth
from fit_gaussians.rasterize.kernels.blend import blend
from fit_gaussians.rasterize.kernels.blend_backward import blend_backward
from fit_gaussians.rasterize.kernels.layout import (
    CAMERA_SIZE,
    NUM_GAUSSIAN_PLANES,
    RECORD_SIZE,
    padded,
)
from fit_gaussians.rasterize.kernels.projection import project
from fit_gaussians.rasterize.kernels.projection_backward import project_backward
from fit_gaussians.rasterize.kernels.tiles import BUFFER_SIZE, SPANS_SHAPE
from fit_gaussians.rasterize.kernels.transfer import load_gaussians

_NAME_OF_PLANE = ["means"] * 3 + ["quats"] * 4 + ["scales"] * 3 + ["opacities"] + ["colors"] * 3


def camera_arrays(world_to_camera: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """[..., 16] as the kernels take cameras, of world_to_camera [..., 4, 4] and intrinsics [..., 4], all float32.

    Raises:
        ValueError: they are not finite.
    """
    rotation = world_to_camera[..., :3, :3].reshape(*intrinsics.shape[:-1], 9)
    cameras = np.concatenate([rotation, world_to_camera[..., :3, 3], intrinsics], -1)
    assert cameras.shape[-1] == CAMERA_SIZE
    if not np.isfinite(cameras).all():
        raise ValueError("world_to_camera or intrinsics contain NaN or infinity")
    return cameras


def _aligned_zeros(size: int) -> np.ndarray:
    """[size] float32 from the start of a cache line on, which no vector then straddles."""
    line = 64 // 4
    zeros = np.zeros(size + line, np.float32)
    start = -(zeros.ctypes.data // 4) % line
    return zeros[start : start + size]


class CpuView:
    """What one view needs between its forward and its backward pass, and scratch; grows and is used again.

    Attributes:
        gaussians: planes [14, P] of what is drawn, filled by `load` or by whoever draws.
        gradients: planes [14, P] of the loss's gradient by it, filled by `backward`. See `layout`.
    """

    def __init__(self):
        self.capacity = self.list_capacity = self.tile_capacity = -1
        self.spans = np.zeros(SPANS_SHAPE, np.float32)
        self.buffer = _aligned_zeros(BUFFER_SIZE)
        self.histogram = np.zeros(DIGITS, np.int32)

    def reserve(self, count: int) -> None:
        """Make room for `count` Gaussians; what the planes held may be lost."""
        columns = padded(max(count, 1))
        if columns > self.capacity:
            self.capacity = columns
            self.gaussians = np.zeros((NUM_GAUSSIAN_PLANES, columns), np.float32)
            self.gradients = np.zeros((NUM_GAUSSIAN_PLANES, columns), np.float32)
            self.records = np.zeros((columns, RECORD_SIZE), np.float32)
            self.sums = np.zeros((columns, RECORD_SIZE), np.float32)
            self.depths = np.zeros(columns, np.float32)
            self.order, self.spare_order = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
            self.keys, self.spare_keys = np.zeros(columns, np.uint32), np.zeros(columns, np.uint32)
            self.tile_boxes = np.zeros((columns, 4), np.int16)

    def _reserve_tiles(self, width: int, height: int) -> None:
        tiles = count_tiles(width, height)
        if tiles > self.tile_capacity:
            self.tile_capacity = tiles
            self.tile_starts, self.tile_ends = np.zeros(tiles + 1, np.int32), np.zeros(tiles, np.int32)

    def load(self, gaussians: Sequence[np.ndarray]) -> None:
        """Fill the planes from means [N, 3], quats [N, 4], scales [N, 3], opacities [N] and colors [N, 3].

        Raises:
            ValueError: one of them is not finite; nothing may be drawn then.
        """
        self.reserve(len(gaussians[0]))
        wrong_plane = load_gaussians(*gaussians, self.gaussians)
        if wrong_plane >= 0:
            raise ValueError(f"{_NAME_OF_PLANE[wrong_plane]} contain NaN or infinity")

    def forward(self, count, camera, size, background, antialiased, eps2d, image, alpha) -> None:
        """Render the first `count` Gaussians into image [3, H, W] and alpha [H, W]."""
        self.camera, self.size, self.count = camera, size, count
        self.mode = (np.float32(eps2d), antialiased)
        self._reserve_tiles(*size)
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

    def backward(self, image, alpha, v_image, v_alpha) -> None:
        """Fill the planes of gradients from those of the image [3, H, W] and of alpha [H, W]."""
        blend_backward(
            self.records, self.count, self.tile_starts, self.tile_lists, *self.size,
            image, alpha, v_image, v_alpha, self.spans, self.buffer, self.sums,
        )  # fmt: skip
        project_backward(
            self.gaussians, self.camera, *self.size, *self.mode, self.count, self.records, self.sums, self.gradients
        )


class ViewPool:
    """Idle views, for any thread to take. A few are kept, so that a training loop allocates nothing after its start."""

    MAX_IDLE = 16

    def __init__(self):
        self._lock = threading.Lock()
        self._idle: list[CpuView] = []

    def take(self) -> CpuView:
        with self._lock:
            return self._idle.pop() if self._idle else CpuView()

    def give_back(self, views: list[CpuView]) -> None:
        with self._lock:
            self._idle.extend(views[: self.MAX_IDLE - len(self._idle)])


POOL = ViewPool()
