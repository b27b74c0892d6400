"""Wavefront OBJ: polygons in the file's order, with texture coordinates, normals, colours and materials.

Read here and not by a general mesh loader, because the order decides which of two coincident faces is seen, polygons
need not be convex, and indices may count backwards.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.color import srgb_to_linear
from render.raster.mtl import MtlEntry, make_material, read_mtl_files
from render.raster.polygons import triangulate
from render.raster.scene import Loaded, Material, Part
from render.raster.textures import TextureReader

ABSENT = -1
FACES_AT_ONCE = 10_000  # each number takes fifteen times its bytes while it is a word


@dataclass
class _Statements:
    """The lines of a file, by kind and in their order."""

    vertices: list[str] = field(default_factory=list)
    uvs: list[str] = field(default_factory=list)
    normals: list[str] = field(default_factory=list)
    faces: list[str] = field(default_factory=list)
    backwards: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # face: how many v, vt, vn came before it
    runs: list[tuple[int, str | None]] = field(default_factory=lambda: [(0, None)])  # first face, material's name
    libraries: list[str] = field(default_factory=list)


def load_obj(path: Path, root: Path | None = None) -> Loaded:
    """The parts of an OBJ file, one for every run of faces of the same material; `root` as for `load.load`.

    Raises:
        AssetError: it cannot be read, or asks for what this engine does not know.
    """
    statements = _read(path.read_text(encoding="utf-8", errors="replace"))
    try:
        vertices = _numbers(statements.vertices)
        uvs, normals = _numbers(statements.uvs, 2), _numbers(statements.normals, 3)
        corners, counts = _corners(statements, (len(vertices), len(uvs), len(normals)))
    except (ValueError, OverflowError) as error:
        raise AssetError(f"it is not a readable OBJ file: {error}") from error
    if not len(vertices) or not len(counts):
        raise AssetError("it is not a readable OBJ file: it has no faces")
    triangles, polygons = triangulate(corners[:, 0], counts, vertices[:, :3])
    # One vertex for every combination of place, texture coordinate and normal.
    sizes = np.array([(len(uvs) + 1) * (len(normals) + 1), len(normals) + 1, 1], object)
    if len(vertices) * int(sizes[0]) >= 2**62:
        raise AssetError("it is too large to read")
    keys, inverse = np.unique((corners + [0, 1, 1]) @ sizes.astype(np.int64), return_inverse=True)
    used = np.empty((len(keys), 3), np.int64)
    used[inverse] = corners
    mesh = _Mesh(
        vertices[used[:, 0], :3],
        inverse[triangles],
        _picked(uvs, used[:, 1]) * [1, -1] + [0, 1],
        _picked(normals, used[:, 2]) if len(normals) else None,
        _colors(vertices[used[:, 0]]),
    )
    root = root or path.parent
    entries, textures = read_mtl_files(path.parent, statements.libraries, root), TextureReader(root)
    with_uvs = corners[:, 1] != ABSENT
    parts = []
    bounds = [first for first, _ in statements.runs] + [len(counts)]
    for (first, name), end in zip(statements.runs, bounds[1:], strict=True):
        low, high = np.searchsorted(polygons, [first, end])
        if low < high:
            entry = None if name is None else entries.get(name)
            parts.append(mesh.part(low, high, entry, textures, with_uvs[triangles[low:high]].any()))
    return Loaded(parts, textures.unreadable)


@dataclass(frozen=True)
class _Mesh:
    vertices: np.ndarray  # [N, 3]
    faces: np.ndarray  # [F, 3]
    uvs: np.ndarray  # [N, 2] v down
    normals: np.ndarray | None  # [N, 3]
    colors: np.ndarray | None  # [N, 4] linear

    def part(self, first: int, end: int, entry: MtlEntry | None, textures: TextureReader, has_uvs: bool) -> Part:
        """The faces first..end, with colours where no image tells a better one."""
        material, colors = make_material(entry, textures, has_uvs), None
        if self.colors is not None and material.texture is None:
            material, colors = Material(color=(1.0, 1.0, 1.0)), self.colors
        return Part(self.vertices, self.faces[first:end], material, self.uvs if has_uvs else None, colors, self.normals)


def _read(text: str) -> _Statements:
    found = _Statements()
    lists = {"v": found.vertices, "vt": found.uvs, "vn": found.normals}
    for line in text.replace("\\\n", " ").split("\n"):
        words = line.split(None, 1)
        if len(words) < 2:
            continue
        keyword, rest = words
        if keyword in lists:
            lists[keyword].append(rest)
        elif keyword == "f":
            if "-" in rest:
                found.backwards[len(found.faces)] = (len(found.vertices), len(found.uvs), len(found.normals))
            found.faces.append(rest)
        elif keyword == "usemtl":
            found.runs.append((len(found.faces), " ".join(rest.split())))
        elif keyword == "mtllib":
            found.libraries.append(rest.strip())
    return found


def _numbers(lines: list[str], width: int | None = None) -> np.ndarray:
    """[N, width] float64; without a width, that of the widest line, the others filled up with ones.

    Raises:
        ValueError: a word is no number, or there are too few.
    """
    if not lines:
        return np.zeros((0, width or 3))
    values = np.array(" ".join(lines).split(), np.float64)
    columns = len(lines[0].split())
    if len(values) != columns * len(lines) or len({len(line.split()) for line in lines}) > 1:
        rows = [line.split() for line in lines]
        columns = max(len(row) for row in rows)
        values = np.array([float(word) for row in rows for word in row + ["1"] * (columns - len(row))])
    if columns < (width or 3):
        raise ValueError(f"{width or 3} numbers are needed where there are {columns}")
    return values.reshape(-1, columns)[:, :width]


def _corners(statements: _Statements, sizes: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """([L, 3] indices from 0 of vertex, texture coordinate and normal of every corner, [P] corners of every face).

    Raises:
        ValueError: a word is no index.
        AssetError: a face names a vertex that is not there.
    """
    faces = statements.faces
    counts = np.array([len(face.split()) for face in faces], np.int64)
    parts = [_written_corners(faces[first : first + FACES_AT_ONCE]) for first in range(0, len(faces), FACES_AT_ONCE)]
    corners = np.concatenate(parts) if parts else np.zeros((0, 3), np.int64)
    starts = np.cumsum(counts) - counts
    for face, before in statements.backwards.items():
        own = corners[starts[face] : starts[face] + counts[face]]
        own += np.where(own < 0, np.array(before) + 1, 0)
    corners -= 1  # what is absent was 0
    if len(corners) and not (corners[:, 0].min() >= 0 and corners[:, 0].max() < sizes[0]):
        raise AssetError(f"a face refers to a vertex that does not exist; there are {sizes[0]}")
    corners[(corners < 0) | (corners >= sizes)] = ABSENT
    return corners, counts


def _written_corners(faces: list[str]) -> np.ndarray:
    """[L, 3] indices as these lines have them: from 1 on, or backwards; 0 where there is none."""
    words = " ".join(faces).split()
    corners = np.zeros((len(words), 3), np.int64)
    slashes = {word.count("/") for word in words}
    if len(slashes) == 1 and not any(word.endswith("/") for word in words[:1] + words[-1:]):
        columns = slashes.pop() + 1
        flat = " ".join(words).replace("//", "/0/").replace("/", " ").split()
        if columns > 3 or len(flat) != columns * len(words):
            raise ValueError("its faces are not lists of v, v/vt, v//vn or v/vt/vn")
        corners[:, :columns] = np.array(flat, np.int64).reshape(-1, columns)
    else:
        for row, word in enumerate(words):
            for column, number in enumerate(word.split("/")[:3]):
                corners[row, column] = int(number or 0)
    return corners


def _picked(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`values[index]`, zeros where the index is absent."""
    return np.concatenate([values, np.zeros((1, values.shape[1]))])[index]


def _colors(vertices: np.ndarray) -> np.ndarray | None:
    """[N, 4] linear colours of lines `v x y z r g b`; None where there are none."""
    if vertices.shape[1] < 6:
        return None
    colors = np.ones((len(vertices), 4))
    colors[:, :3] = srgb_to_linear(np.clip(np.nan_to_num(vertices[:, 3:6]), 0, 1))
    return colors
