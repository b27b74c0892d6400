"""Polygons of any number of corners, cut into triangles."""

import mapbox_earcut
import numpy as np


def triangulate(corners: np.ndarray, counts: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut every polygon into triangles: convex ones into a fan, others by clipping ears.

    Args:
        corners: [L] vertex index of every corner, polygon after polygon.
        counts: [P] corners of each polygon; those of fewer than three have no triangle.
        vertices: [N, 3].

    Returns:
        [F, 3] positions in `corners`, and [F] the polygon that each triangle comes from, ascending.
    """
    counts = np.asarray(counts, np.int64)
    starts = np.cumsum(counts) - counts
    pieces = np.maximum(counts - 2, 0)
    polygons = np.repeat(np.arange(len(counts)), pieces)
    step = np.arange(len(polygons)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = starts[polygons]
    triangles = np.stack([first, first + step + 1, first + step + 2], axis=1)
    bent = _bent_polygons(triangles, polygons, pieces, vertices[corners])
    if not len(bent):
        return triangles, polygons
    kept = ~np.isin(polygons, bent)
    cut = [_clip_ears(starts[polygon], counts[polygon], vertices[corners]) for polygon in bent]
    triangles = np.concatenate([triangles[kept], *cut])
    polygons = np.concatenate([polygons[kept], np.repeat(bent, [len(piece) for piece in cut])])
    order = np.argsort(polygons, kind="stable")
    return triangles[order], polygons[order]


def _bent_polygons(triangles: np.ndarray, polygons: np.ndarray, pieces: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Polygons whose fan's triangles do not all face the same way."""
    many = pieces[polygons] > 1
    a, b, c = places[triangles[many]].transpose(1, 0, 2)
    with np.errstate(invalid="ignore", over="ignore"):  # coordinates that are not finite are refused later
        areas = np.cross(b - a, c - a)
        owners = polygons[many]
        total = np.zeros((len(pieces), 3))
        np.add.at(total, owners, areas)
        wrong = (areas * total[owners]).sum(axis=1) < 0
    return np.unique(owners[wrong])


def _clip_ears(start: int, count: int, places: np.ndarray) -> np.ndarray:
    """[F, 3] positions of one polygon's triangles, facing as the polygon does (earcut by Mapbox)."""
    outline = places[start : start + count]
    following = np.roll(outline, -1, axis=0)
    normal = np.cross(outline - outline[0], following - outline[0]).sum(axis=0)
    dropped = np.abs(normal).argmax()
    flat = np.delete(outline, dropped, axis=1)
    cut = mapbox_earcut.triangulate_float64(np.ascontiguousarray(flat), np.array([count], np.uint32))
    triangles = cut.astype(np.int64).reshape(-1, 3)
    a, b, c = outline[triangles].transpose(1, 0, 2)
    backwards = np.cross(b - a, c - a) @ normal < 0
    triangles[backwards] = triangles[backwards][:, ::-1]
    return start + triangles
