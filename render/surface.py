"""Coloured, oriented points on the surface that the views show.

Renderers give the exact place where a ray hit the surface, so a pixel becomes a point without rounding to its centre.
"""

from dataclasses import dataclass

import numpy as np

from render.cameras import Cameras
from render.layers import RenderedView

OPAQUE = 128  # a pixel that the surface fills at least half
POSITION_STEP = 2.0**-14  # of the object's diagonal: 1/64 of a pixel where the object fills 256 of them
NORMAL_STEP = 2.0**-7
TINTED = 26  # a pixel whose alpha is low because the surface lets light through, not because it ends there


@dataclass(frozen=True)
class SurfacePoints:
    """Points seen by at least one camera, in the world frame."""

    positions: np.ndarray  # [N, 3] float32
    normals: np.ndarray  # [N, 3] float32, unit up to rounding, facing the camera that saw the point
    colors: np.ndarray  # [N, 3] uint8, sRGB

    def take(self, index: np.ndarray) -> "SurfacePoints":
        return SurfacePoints(self.positions[index], self.normals[index], self.colors[index])


def view_points(view: RenderedView, camera_position: np.ndarray) -> SurfacePoints:
    """The points of one view: one for every pixel well inside the object's alpha.

    Args:
        view: [H, W] pixels.
        camera_position: [3] in the world.
    """
    alpha = view.rgba[..., 3]
    hit = (view.positions != 0).any(axis=-1) & np.isfinite(view.positions).all(axis=-1)
    inside = hit & ((alpha >= OPAQUE) | (_smallest_neighbour(alpha) >= TINTED))
    positions = view.positions[inside]
    return SurfacePoints(
        positions, _facing(view.normals[inside], camera_position - positions), view.rgba[inside][:, :3]
    )


def surface_points(views: list[SurfacePoints], cameras: Cameras, limit: int) -> SurfacePoints:
    """At most `limit` points of all views, thinned evenly: one per cell of a grid, the nearest to its cell's centre.

    The grid is never finer than a pixel's footprint at the object's centre, since several views see the same surface.
    Coordinates are rounded to steps that halve what they take on disk.
    """
    points = SurfacePoints(
        *(np.concatenate([getattr(view, name) for view in views]) for name in ("positions", "normals", "colors"))
    )
    distance = np.linalg.norm(cameras.positions[0])
    finest = float(distance / cameras.intrinsics[0, 0])
    points = points.take(_one_per_cell(points.positions, finest))
    if len(points.positions) <= limit:
        return _rounded(points)
    low, high = finest, 1.0  # the object's diagonal is 1: a cell of size 1 leaves a handful
    for _ in range(12):
        middle = (low * high) ** 0.5
        if len(np.unique(_cells(points.positions, middle))) > limit:
            low = middle
        else:
            high = middle
    return _rounded(points.take(_one_per_cell(points.positions, high)[:limit]))


def _rounded(points: SurfacePoints) -> SurfacePoints:
    """Positions and normals on grids of powers of two, so that their low bits compress away."""
    return SurfacePoints(
        np.round(points.positions / POSITION_STEP).astype(np.float32) * np.float32(POSITION_STEP),
        np.round(points.normals / NORMAL_STEP).astype(np.float32) * np.float32(NORMAL_STEP),
        points.colors,
    )


def _smallest_neighbour(alpha: np.ndarray) -> np.ndarray:
    """[H, W] minimum over the 3 x 3 neighbourhood; outside of the image counts as 0."""
    padded = np.pad(alpha, 1)
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _facing(normals: np.ndarray, to_camera: np.ndarray) -> np.ndarray:
    """[N, 3] unit normals on the camera's side; where a pixel averages to no normal, the direction to the camera."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    to_camera = to_camera / np.linalg.norm(to_camera, axis=1, keepdims=True)
    unit = np.where(length > 1e-3, normals / np.maximum(length, 1e-3), to_camera)
    side = np.where((unit * to_camera).sum(axis=1, keepdims=True) < 0, -1, 1)
    return (unit * side).astype(np.float32)


def _cells(positions: np.ndarray, size: float) -> np.ndarray:
    """[N] int64 key of the grid cell of every point; positions lie within the unit cube around the origin."""
    index = np.floor((positions + 1) / size).astype(np.int64)
    return (index[:, 0] << 42) | (index[:, 1] << 21) | index[:, 2]


def _one_per_cell(positions: np.ndarray, size: float) -> np.ndarray:
    """Indices, ascending, of one point per occupied cell: the one nearest to its cell's centre."""
    offsets = (positions + 1) / size % 1 - 0.5
    off_centre = np.einsum("ni,ni->n", offsets, offsets)
    order = np.lexsort((off_centre, _cells(positions, size)))
    keys = _cells(positions[order], size)
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return np.sort(order[first])
