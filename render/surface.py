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
MOST_WAITING = 100_000  # points before they are sorted into cells
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


class SurfaceCloud:
    """The points of all views of an object, gathered view by view.

    One per cell of a grid, the nearest to its cell's centre. The cells are a pixel's footprint at the object's centre,
    since several views see the same surface; many views take hardly more memory than a few.
    """

    def __init__(self, cameras: Cameras):
        self._finest = float(np.linalg.norm(cameras.positions[0]) / cameras.intrinsics[0, 0])
        # One entry per occupied cell, ascending by key.
        self._cells: dict[str, np.ndarray] = {
            "keys": np.zeros(0, np.int64),
            "off_centre": np.zeros(0, np.float32),
            "numbers": np.zeros(0, np.int32),  # which of all points that were added it is
            "positions": np.zeros((0, 3), np.float32),
            "normals": np.zeros((0, 3), np.float32),
            "colors": np.zeros((0, 3), np.uint8),
        }
        self._numbered = 0
        self._waiting: list[SurfacePoints] = []

    def add(self, points: SurfacePoints) -> None:
        """Take in the points of one more view."""
        self._waiting.append(points)
        if sum(len(part.positions) for part in self._waiting) >= MOST_WAITING:
            self._merge()

    def _merge(self) -> None:
        """Points that waited take free cells, and those whose point is farther from the centre."""
        names = ("positions", "normals", "colors")
        points = SurfacePoints(*(np.concatenate([getattr(part, name) for part in self._waiting]) for name in names))
        kept, keys, off_centre = _one_per_cell(points.positions, self._finest)
        new = {
            "keys": keys,
            "off_centre": off_centre,
            "numbers": (self._numbered + kept).astype(np.int32),
            **vars(points.take(kept)),
        }
        self._numbered += len(points.positions)
        self._waiting.clear()
        old = self._cells
        places = np.searchsorted(old["keys"], keys)
        known = np.zeros(len(keys), bool)
        inside = places < len(old["keys"])
        known[inside] = old["keys"][places[inside]] == keys[inside]
        nearer = known.copy()
        nearer[known] = off_centre[known] < old["off_centre"][places[known]]
        for name, values in old.items():
            values[places[nearer]] = new[name][nearer]
            old[name] = np.insert(values, places[~known], new[name][~known], axis=0)

    def points(self, limit: int) -> SurfacePoints:
        """At most `limit` points, thinned evenly by a coarser grid where they are more, in the order of the views.

        Coordinates are rounded to steps that halve what they take on disk.
        """
        if self._waiting:
            self._merge()
        order = np.argsort(self._cells["numbers"])
        points = SurfacePoints(*(self._cells[name][order] for name in ("positions", "normals", "colors")))
        if len(points.positions) <= limit:
            return _rounded(points)
        low, high = self._finest, 1.0  # the object's diagonal is 1: a cell of size 1 leaves a handful
        for _ in range(12):
            middle = (low * high) ** 0.5
            if len(np.unique(_cell_keys(points.positions, middle))) > limit:
                low = middle
            else:
                high = middle
        return _rounded(points.take(np.sort(_one_per_cell(points.positions, high)[0])[:limit]))


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


def _cell_keys(positions: np.ndarray, size: float) -> np.ndarray:
    """[N] int64 key of the grid cell of every point; positions lie within the unit cube around the origin."""
    keys = np.zeros(len(positions), np.int64)
    for axis in range(3):  # one by one: there may be many points
        keys <<= 21
        keys |= np.floor((positions[:, axis] + 1) / size).astype(np.int64)
    return keys


def _one_per_cell(positions: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The point nearest to its cell's centre (of equals the first) for every occupied cell, ascending by key.

    Returns:
        index [C], key [C] and squared distance from the centre [C] float32, in cells.
    """
    offsets = (positions + 1) / size % 1 - 0.5
    off_centre = np.einsum("ni,ni->n", offsets, offsets)
    keys = _cell_keys(positions, size)
    order = np.lexsort((off_centre, keys))
    keys = keys[order]
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return order[first], keys[first], off_centre[order[first]]
