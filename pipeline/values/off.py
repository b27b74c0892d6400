"""OFF files, Geomview's "Object File Format", as text: vertices, polygons and their colours."""

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.base.errors import AssetError

# Before OFF: texture coordinates, colours and normals of vertices; 4 and n: more dimensions. Some files of ModelNet40
# have the counts right behind it, "OFF490 518 0".
_KEYWORD = re.compile(r"(ST)?(C)?(N)?(4)?(n)?OFF[ \t]*(.*)")
HEADER_LINES = 1000  # comments and empty lines may come before the counts


@dataclass(frozen=True)
class OffHeader:
    """What the first lines say."""

    vertices: int
    faces: int
    has_colors: bool  # of vertices
    has_normals: bool


@dataclass(frozen=True)
class OffMesh:
    """N vertices and F polygons. Colours are sRGB in [0, 1]; None where there are none."""

    vertices: np.ndarray  # [N, 3] float64
    colors: np.ndarray | None  # [N, 3]
    faces: list[list[int]]  # [F][corners], from 0 on, all valid
    face_colors: np.ndarray | None  # [F, 3], NaN for a face without one


def read_header(path: Path) -> OffHeader:
    """The header of the file.

    Raises:
        AssetError: it has none, is binary or of another dimension, or claims more than its bytes can hold.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [_content(line[:1000]) for line in islice(file, HEADER_LINES)]
    header, _ = _header([line for line in lines if line], path.name)
    size = path.stat().st_size
    if 6 * header.vertices + 4 * header.faces > size + 1:  # "0 0 0\n" and "1 0\n" are the shortest lines
        raise AssetError(
            f"{path.name}: {header.vertices} vertices and {header.faces} faces do not fit in its {size} bytes"
        )
    return header


def read_off(path: Path) -> OffMesh:
    """The whole file: one line for each vertex and each face, as all programs write it.

    Raises:
        AssetError: as `read_header`; or it is cut short, or a line is not what it should be.
    """
    read_header(path)
    lines = [_content(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    header, lines = _header([line for line in lines if line], path.name)
    total = header.vertices + header.faces
    if len(lines) < total:
        raise AssetError(f"{path.name}: it is cut short: {len(lines)} of {total} vertices and faces; fetch it again")
    try:
        vertices, colors = _vertices(lines[: header.vertices], header)
        faces, face_colors = _faces(lines[header.vertices : total], header.vertices)
    except ValueError as error:
        raise AssetError(f"{path.name}: it is not a readable OFF file: {error}") from error
    return OffMesh(vertices, colors, faces, face_colors)


def _content(line: str) -> str:
    return line.partition("#")[0].strip()


def _header(lines: list[str], name: str) -> tuple[OffHeader, list[str]]:
    """The header, and the lines after it, of lines without comments."""
    found = _KEYWORD.fullmatch(lines[0]) if lines else None
    if not found:
        raise AssetError(f"{name}: not an OFF file (it does not start with OFF)")
    _, colors, normals, four, n, rest = found.groups()
    if four or n or rest.startswith("BINARY"):
        raise AssetError(f"{name}: binary OFF files, and those of other than 3 dimensions, are not read; convert it")
    lines = [rest, *lines[1:]] if rest else lines[1:]
    counts = lines[0].split() if lines else []
    if not 2 <= len(counts) <= 3 or not all(count.isascii() and count.isdigit() for count in counts):
        raise AssetError(f"{name}: its header does not say how many vertices and faces it has")
    vertices, faces = (int(count[:20]) for count in counts[:2])
    if not vertices or not faces:
        raise AssetError(f"{name}: it has no {'faces' if vertices else 'vertices'}; point clouds are not rendered")
    return OffHeader(vertices, faces, bool(colors), bool(normals)), lines[1:]


def _vertices(lines: list[str], header: OffHeader) -> tuple[np.ndarray, np.ndarray | None]:
    """([N, 3] places, [N, 3] colours or None)."""
    rows = [line.split() for line in lines]
    first = 6 if header.has_normals else 3
    width = first + 3 * header.has_colors
    short = next((row for row in rows if len(row) < width), None)
    if short is not None:
        raise ValueError(f"the vertex {' '.join(short)[:80]!r} has fewer than {width} numbers")
    places = np.array([row[:3] for row in rows], np.float64)
    return places, _colors([row[first:width] for row in rows]) if header.has_colors else None


def _faces(lines: list[str], vertices: int) -> tuple[list[list[int]], np.ndarray | None]:
    """Polygons of three corners or more, and their colours; None if no face has one."""
    faces, colors = [], []
    for line in lines:
        words = line.split()
        count = int(words[0])
        corners = [int(word) for word in words[1 : count + 1]]
        if count < 1 or len(corners) < count:
            raise ValueError(f"the face {line[:80]!r} has not as many corners as it says")
        if not 0 <= min(corners) <= max(corners) < vertices:
            raise ValueError(f"a face refers to a vertex that does not exist; there are {vertices}")
        if count >= 3:
            faces.append(corners)
            colors.append(words[count + 1 : count + 4])
    if not faces:
        raise ValueError("it has no faces")
    colored = [color if len(color) == 3 else ["nan"] * 3 for color in colors]  # one number alone: of a table elsewhere
    return faces, _colors(colored) if any(len(color) == 3 for color in colors) else None


def _colors(words: list[list[str]]) -> np.ndarray:
    """[N, 3] in [0, 1] of numbers that are, as a whole, fractions or bytes."""
    values = np.array(words, np.float64)
    are_fractions = any("." in word for row in words for word in row)
    return np.clip(values if are_fractions else values / 255, 0, 1)
