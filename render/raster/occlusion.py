"""How much of a uniform white sky each place on a surface sees: ambient occlusion, baked once for all views.

The sky is looked at from many directions; each gives an orthographic depth map of the object, drawn by the same kernel
as the views, and every point asks every map whether something stands before it (a shadow map per direction, weighted
by the cosine). Points are the vertices and, on large or flat-shaded triangles, a lattice of places on the triangle
itself (Yuksel, Keyser, House 2010, "Mesh Colors"), so that the mesh stays as it is. Both sides are baked: which one a
view shows is known only there.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from render.raster import kernels
from render.raster.load import Surface
from render.view_sets import GOLDEN_ANGLE

DIRECTIONS = 128
MAP_SIZE = 384  # texels across the object's bounding sphere
SPACING = 0.025  # of the lattice; the object's diagonal is 1
MAX_STEPS = 64
LIFT = 2e-3  # how far a point stands off its surface when it looks for the sky
FARTHEST = 8.0  # keeps depths positive, as the kernel wants them, and float32 precise to 1e-6
GRAZING = 0.02  # directions with a smaller cosine see the edge of the surface itself
THRESHOLD_ORDERS = 256


class Sky(NamedTuple):
    """Shares of the sky at the vertices (first) and at the points of the triangles' lattices."""

    shares: np.ndarray  # [N + P, 2] float32 in 0..1: on the front, on the back
    firsts: np.ndarray  # [F] int64: first lattice point of a triangle; -1: its corners are vertices
    steps: np.ndarray  # [F] int64: lattice steps along each edge


UNLIT = Sky(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))


def bake(surface: Surface) -> Sky:
    """The sky that each point of the surface sees past all others."""
    count = len(surface.vertices)
    smooth = _is_smooth(surface)
    steps = _steps(surface)
    own = ~smooth | (steps > 1)  # triangles with a lattice of their own
    sizes = np.where(own, (steps + 1) * (steps + 2) // 2, 0)
    firsts = np.where(own, count + np.cumsum(sizes) - sizes, -1)
    points = np.empty((count + sizes.sum(), 3), np.float32)
    normals = np.zeros_like(points)
    points[:count] = surface.vertices
    shared = np.unique(surface.faces[~own])
    normals[shared] = surface.vertex_normals[shared]
    _lay_lattices(surface, smooth, firsts, steps, points, normals)
    return Sky(_shares(surface, points, normals), firsts, steps)


def _is_smooth(surface: Surface) -> np.ndarray:
    """[F] bool: whether each corner has a normal, and on the side that the triangle faces."""
    corners = surface.vertex_normals[surface.faces]  # [F, 3 corners, 3]
    return (np.einsum("fcx,fx->fc", corners, surface.normals) > 0).all(axis=1)


def _steps(surface: Surface) -> np.ndarray:
    a, b, c = surface.vertices[surface.faces].transpose(1, 0, 2)
    longest = np.sqrt(np.max([((p - q) ** 2).sum(axis=1) for p, q in ((a, b), (b, c), (c, a))], axis=0))
    return np.clip(np.ceil(longest / SPACING), 1, MAX_STEPS).astype(np.int64)


def _shares(surface: Surface, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """[P, 2] float32 of points [P, 3]; 1 where a point has no normal."""
    texels_per_unit = MAP_SIZE / (2.02 * np.linalg.norm(surface.vertices, axis=1).max())
    thresholds = np.random.default_rng(0).random((THRESHOLD_ORDERS, 1)).astype(np.float32)
    nearness = np.empty((MAP_SIZE, MAP_SIZE), np.float32)
    seen = np.empty((MAP_SIZE, MAP_SIZE), np.int32)
    light, weight = np.zeros((2, len(points), 2), np.float32)
    for frame in _frames(DIRECTIONS):
        screen = surface.vertices @ frame.T
        screen[:, :2] = screen[:, :2] * texels_per_unit + MAP_SIZE / 2
        screen[:, 2] += FARTHEST
        nearness[:], seen[:] = 0, -1
        kernels.draw(surface, screen, 1, thresholds, nearness, seen)
        _gather(points, normals, frame.astype(np.float32), texels_per_unit, nearness, light, weight)
    return np.divide(light, weight, out=np.ones_like(light), where=weight > 0)


def _frames(count: int) -> np.ndarray:
    """[count, 3, 3] right-handed frames whose third rows are spread evenly over all directions."""
    index = np.arange(count)
    z = 1 - 2 * (index + 0.5) / count
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(GOLDEN_ANGLE * index), ring * np.sin(GOLDEN_ANGLE * index), z], axis=1)
    aside = np.where(np.abs(z)[:, None] < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    right = np.cross(aside, directions)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(directions, right), directions], axis=1)


@njit(cache=True, **kernels.OPTIONS)
def _lay_lattices(surface, smooth, firsts, steps, points, normals):
    """Fill in the lattice points and their unit normals; point (i, j) has the weights i / steps and j / steps of
    corners 1 and 2."""
    for triangle in range(len(firsts)):
        point = firsts[triangle]
        if point < 0:
            continue
        i0, i1, i2 = surface.faces[triangle, 0], surface.faces[triangle, 1], surface.faces[triangle, 2]
        count = steps[triangle]
        for i in range(count + 1):
            for j in range(count + 1 - i):
                w1, w2 = i / count, j / count
                w0 = 1 - w1 - w2
                squared = 0.0
                for axis in range(3):
                    points[point, axis] = (
                        w0 * surface.vertices[i0, axis]
                        + w1 * surface.vertices[i1, axis]
                        + w2 * surface.vertices[i2, axis]
                    )
                    normal = np.float64(surface.normals[triangle, axis])
                    if smooth[triangle]:
                        normal = (
                            w0 * surface.vertex_normals[i0, axis]
                            + w1 * surface.vertex_normals[i1, axis]
                            + w2 * surface.vertex_normals[i2, axis]
                        )
                    normals[point, axis] = normal
                    squared += normal * normal
                for axis in range(3):  # never zero: corners that face the same way do not cancel out
                    normals[point, axis] /= math.sqrt(squared)
                point += 1


@njit(cache=True, **kernels.OPTIONS)
def _gather(points, normals, frame, texels_per_unit, nearness, light, weight):
    """Add one direction's light, times its cosine, to every point that its map does not hide.

    Args:
        points, normals: [P, 3] float32.
        frame: [3, 3] float32: x and y of the map, and the direction that the light comes from.
        nearness: [H, W] float32: the nearest surface to the light, along the direction, plus FARTHEST.
        light, weight: [P, 2] float32 sums, on the front and on the back.
    """
    size = len(nearness)
    scale, middle = np.float32(texels_per_unit), np.float32(size / 2 - 0.5)
    one = np.float32(1)
    for point in range(len(points)):
        x, y, z = points[point, 0], points[point, 1], points[point, 2]
        nx, ny, nz = normals[point, 0], normals[point, 1], normals[point, 2]
        cosine = frame[2, 0] * nx + frame[2, 1] * ny + frame[2, 2] * nz
        back = int(cosine < 0)
        lift = np.float32(-LIFT if back else LIFT)
        cosine = abs(cosine)
        if cosine <= np.float32(GRAZING):
            continue
        x, y, z = x + lift * nx, y + lift * ny, z + lift * nz
        column = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) * scale + middle
        line = (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z) * scale + middle
        # Within a texel the surface itself rises by its slope towards the light.
        slope = math.sqrt(max(one - cosine * cosine, np.float32(0))) / max(cosine, np.float32(0.2))
        near = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z + np.float32(FARTHEST + 0.75 * slope / scale)
        weight[point, back] += cosine
        left, top = int(math.floor(column)), int(math.floor(line))
        if left < 0 or top < 0 or left >= size - 1 or top >= size - 1:
            light[point, back] += cosine
            continue
        right_share, low_share = column - left, line - top
        share = np.float32(0)
        if nearness[top, left] <= near:
            share += (one - right_share) * (one - low_share)
        if nearness[top, left + 1] <= near:
            share += right_share * (one - low_share)
        if nearness[top + 1, left] <= near:
            share += (one - right_share) * low_share
        if nearness[top + 1, left + 1] <= near:
            share += right_share * low_share
        light[point, back] += cosine * share
