"""OFF files, made OBJ files: both engines read those whole, polygons that are not convex and colours included."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.values.color import linear_to_srgb
from pipeline.values.off import OffMesh, read_off

GREY = float(linear_to_srgb(np.array(0.8)))  # of a surface without a colour, as the engines show it


def to_obj(main: Path) -> Path:
    """Write the OFF file as an OBJ file beside it; returns that.

    Raises:
        AssetError: as `pipeline.values.off.read_off`.
    """
    mesh = read_off(main)
    path = main.with_suffix(".obj")
    with path.open("w", encoding="ascii") as file:
        file.writelines(_with_face_colors(mesh) if mesh.face_colors is not None else _with_vertex_colors(mesh))
    return path


def _with_vertex_colors(mesh: OffMesh) -> Iterator[str]:
    rows = mesh.vertices if mesh.colors is None else np.concatenate([mesh.vertices, mesh.colors], axis=1)
    for row in rows.tolist():
        yield f"v {' '.join(map(repr, row))}\n"
    for face in mesh.faces:
        yield f"f {' '.join(str(corner + 1) for corner in face)}\n"


def _with_face_colors(mesh: OffMesh) -> Iterator[str]:
    """OBJ files have colours of vertices alone: each face gets vertices of its own."""
    assert mesh.face_colors is not None
    for face, color in zip(mesh.faces, np.nan_to_num(mesh.face_colors, nan=GREY).tolist(), strict=True):
        for place in mesh.vertices[face].tolist():
            yield f"v {' '.join(map(repr, [*place, *color]))}\n"
        yield f"f {' '.join(str(corner) for corner in range(-len(face), 0))}\n"
