"""Views of a surface from given cameras."""

import math

import numpy as np

from render.cameras import Cameras
from render.layers import RenderedView
from render.raster import kernels
from render.raster.load import Surface
from render.raster.occlusion import UNLIT, Sky

THRESHOLD_ORDERS = 256  # a power of two


class Rasterizer:
    """Keeps the buffers of one size for all views."""

    def __init__(self, cameras: Cameras, samples: int):
        """`samples` per pixel, a square number."""
        self.cameras = cameras
        self.side = math.isqrt(samples)
        size = cameras.resolution * self.side
        self._nearness = np.zeros((size, size), np.float32)
        self._seen = np.full((size, size), -1, np.int32)
        self._thresholds = _thresholds(samples)
        self._order = _from_the_centre(self.side)

    def render(self, surface: Surface, view: int, sky: Sky = UNLIT) -> RenderedView:
        """What camera number `view` sees; unlit, or matte under `sky`.

        Raises:
            ValueError: the surface reaches behind the camera.
        """
        cameras, side = self.cameras, self.side
        screen = project_samples(surface.vertices, cameras, view, side)
        first, last = self._pixels_spanned(screen)
        window = tuple(slice(low * side, (high + 1) * side) for low, high in zip(first[::-1], last[::-1], strict=True))
        self._nearness[window], self._seen[window] = 0, -1
        kernels.draw(surface, screen, side, self._thresholds, self._nearness, self._seen)
        shape = (cameras.resolution, cameras.resolution)
        rgba = np.zeros((*shape, 4), np.uint8)
        positions, normals = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
        kernels.shade(surface, sky, screen, side, self._order, self._seen, first, last, rgba, positions, normals)
        return RenderedView(rgba, positions, normals)

    def _pixels_spanned(self, screen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last pixel (x, y) that the vertices span."""
        low, high = screen[:, :2].min(axis=0), screen[:, :2].max(axis=0)
        limit = self.cameras.resolution - 1
        return tuple(np.clip(np.floor(bound / self.side), 0, limit).astype(np.int64) for bound in (low, high))


def project_samples(vertices: np.ndarray, cameras: Cameras, view: int, side: int) -> np.ndarray:
    """[N, 3] float64: x and y in samples, and 1 / depth.

    Raises:
        ValueError: a vertex is not in front of the camera; normalised objects always are.
    """
    matrix = cameras.world_to_camera[view]
    focal_x, focal_y, center_x, center_y = cameras.intrinsics[view] * side
    camera = vertices @ matrix[:3, :3].T + matrix[:3, 3]
    if not camera[:, 2].min() > 0:
        raise ValueError(f"the object reaches behind camera {view}")
    screen = np.empty_like(camera)
    screen[:, 2] = 1 / camera[:, 2]
    screen[:, 0] = camera[:, 0] * screen[:, 2] * focal_x + center_x
    screen[:, 1] = camera[:, 1] * screen[:, 2] * focal_y + center_y
    return screen


def _thresholds(samples: int) -> np.ndarray:
    """[orders, samples] float32: in each row one random threshold from each of `samples` equal strata of [0, 1)."""
    generator = np.random.default_rng(0)
    strata = generator.permuted(np.tile(np.arange(samples), (THRESHOLD_ORDERS, 1)), axis=1)
    return ((strata + generator.random(strata.shape)) / samples).astype(np.float32)


def _from_the_centre(side: int) -> np.ndarray:
    """[side * side, 2] column and line of a pixel's samples, the nearest to its centre first."""
    offsets = (np.arange(side) + 0.5 - side / 2) ** 2
    order = np.argsort((offsets[:, None] + offsets).ravel(), kind="stable")
    return np.column_stack([order % side, order // side])
