"""Directions from which an object is seen, by the name of the set (`render.view_set`).

Every set is spread over the whole sphere of directions and has no camera straight above or below, where "upright" has
no meaning.
"""

import hashlib
import math
from collections.abc import Callable

import numpy as np

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
Ring = tuple[float, int]  # elevation in degrees, number of cameras
# Rings of the fixed sets, from above; every second one is turned by half a step. 12: the corners of an icosahedron.
FIXED: dict[str, tuple[Ring, ...]] = {
    "fixed12": ((52.6226, 3), (10.8123, 3), (-10.8123, 3), (-52.6226, 3)),
    "fixed24": ((60, 4), (20, 8), (-20, 8), (-60, 4)),
    "fixed36": ((65, 5), (22, 13), (-22, 13), (-65, 5)),
    "fixed150": ((75, 8), (50, 21), (25, 30), (0, 32), (-25, 30), (-50, 21), (-75, 8)),
}


def directions(view_set: str, views: int) -> np.ndarray:
    """[V, 3] unit vectors of a set.

    Raises:
        ValueError: there is no such set, or it has another number of views.
    """
    if view_set in FIXED:
        rings = FIXED[view_set]
        count = sum(number for _, number in rings)
        if views != count:
            raise ValueError(f"view set {view_set} has {count} views, not {views}")
        return _on_rings(rings)
    if view_set not in SPREAD:
        raise ValueError(f"there is no view set {view_set!r}; there are {', '.join([*SPREAD, *FIXED])}")
    return SPREAD[view_set](views)


def jittered(directions_V3: np.ndarray, degrees: float, seed: str) -> np.ndarray:
    """[V, 3] the same directions, each turned away by up to `degrees`, evenly over that cap; equal for equal seeds."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    count = len(directions_V3)
    cosine = 1 - rng.random(count) * (1 - math.cos(math.radians(degrees)))
    sine, turn = np.sqrt(1 - cosine**2), 2 * math.pi * rng.random(count)
    # Two axes across each direction, from the coordinate axis that it is least along.
    least = np.eye(3)[np.abs(directions_V3).argmin(axis=1)]
    right = np.cross(directions_V3, least)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    across = np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * np.cross(directions_V3, right)
    return cosine[:, None] * directions_V3 + sine[:, None] * across


def fibonacci(views: int) -> np.ndarray:
    """[V, 3] of the offset Fibonacci lattice (Gonzalez 2010, "Measurement of areas on a sphere using Fibonacci and
    latitude-longitude lattices"): equal steps in z, the golden angle in longitude."""
    index = np.arange(views)
    return _unit(1 - 2 * (index + 0.5) / views, GOLDEN_ANGLE * index)


def hammersley(views: int) -> np.ndarray:
    """[V, 3] of the Hammersley set (Wong, Luk and Heng 1997, "Sampling with Hammersley and Halton points"): equal steps
    in z, longitudes by the radical inverse in base 2."""
    index = np.arange(views)
    inverse, digit, rest = np.zeros(views), 0.5, index.copy()
    while rest.any():
        inverse += digit * (rest % 2)
        rest, digit = rest // 2, digit / 2
    return _unit(1 - 2 * (index + 0.5) / views, 2 * math.pi * inverse)


def rings(views: int) -> np.ndarray:
    """[V, 3] on circles of latitude at equal distances, as many on each as its length asks for."""
    count = max(1, round(math.sqrt(math.pi * views) / 2))
    elevations = 90 - 180 * (np.arange(count) + 0.5) / count
    shares = np.cos(np.radians(elevations)) * views / np.cos(np.radians(elevations)).sum()
    ends = np.rint(np.cumsum(shares)).astype(int)
    numbers = np.diff(ends, prepend=0)
    return _on_rings([(elevation, number) for elevation, number in zip(elevations, numbers, strict=True) if number])


def _on_rings(table: "tuple[Ring, ...] | list[Ring]") -> np.ndarray:
    parts = []
    for place, (elevation, number) in enumerate(table):
        longitude = 2 * math.pi * (np.arange(number) + place % 2 / 2) / number
        parts.append(_unit(np.full(number, math.sin(math.radians(elevation))), longitude))
    return np.concatenate(parts)


def _unit(z: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """[V, 3] of heights [V] and longitudes [V] in radians."""
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(longitude), radius * np.sin(longitude), z], axis=1)


SPREAD: dict[str, Callable[[int], np.ndarray]] = {"fibonacci": fibonacci, "hammersley": hammersley, "rings": rings}
