"""Assets that the tests make: coloured boxes, whose exact geometry serves as an oracle, in every format."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from pipeline import Corpus
from pipeline.assets.files.bundle import sha256_of

RED, GREEN, BLUE = (200, 40, 30), (30, 180, 60), (40, 60, 220)


@dataclass(frozen=True)
class Box:
    """An axis-aligned box, in the asset's own frame or in the world."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    color: tuple[int, int, int]

    def mesh(self) -> trimesh.Trimesh:
        return trimesh.creation.box(bounds=np.array([self.low, self.high]))

    def moved(self, matrix: np.ndarray, center: np.ndarray, scale: float) -> "Box":
        """The box after `(matrix @ p - center) * scale`; the matrix only swaps and mirrors axes."""
        corners = (np.array([self.low, self.high]) @ matrix.T - center) * scale
        return Box(tuple(corners.min(axis=0)), tuple(corners.max(axis=0)), self.color)


# No symmetry: a seat, a back and one leg, y up. Every wrong axis, sign or mirror image shows.
CHAIR = (
    Box((0.0, 1.0, 0.0), (2.0, 1.4, 1.5), RED),
    Box((0.0, 1.4, 0.0), (2.0, 3.0, 0.3), GREEN),
    Box((0.1, 0.0, 1.0), (0.5, 1.0, 1.4), BLUE),
)


def chair_mesh() -> trimesh.Trimesh:
    """One mesh with a colour per vertex."""
    parts = []
    for box in CHAIR:
        mesh = box.mesh()
        mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.array([*box.color, 255], np.uint8))
        parts.append(mesh)
    return trimesh.util.concatenate(parts)


def chair_scene() -> trimesh.Scene:
    """One mesh per box, each with a material of its own."""
    scene = trimesh.Scene()
    for box in CHAIR:
        mesh = box.mesh()
        factor = [*srgb_bytes_to_linear(box.color), 1.0]
        mesh.visual = trimesh.visual.TextureVisuals(
            uv=np.zeros((len(mesh.vertices), 2)), material=trimesh.visual.material.PBRMaterial(baseColorFactor=factor)
        )
        scene.add_geometry(mesh)
    return scene


def srgb_bytes_to_linear(color: tuple[int, int, int]) -> list[float]:
    return [((value / 255 + 0.055) / 1.055) ** 2.4 for value in color]


def write_obj_bundle(path: Path, obj: str, mtl: str = "", files: dict[str, bytes] | None = None) -> Path:
    """A .zip with asset.obj, asset.mtl and further files."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("asset.obj", "mtllib asset.mtl\n" + obj)
        archive.writestr("asset.mtl", mtl)
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return path


def chair_obj() -> tuple[str, str]:
    """The chair as OBJ and MTL text; MTL colours are display (sRGB) values."""
    obj, mtl, first = "", "", 1
    for number, box in enumerate(CHAIR):
        mesh = box.mesh()
        obj += f"usemtl m{number}\n" + obj_text(mesh.vertices, mesh.faces, first)
        mtl += f"newmtl m{number}\nKd {' '.join(str(value / 255) for value in box.color)}\n"
        first += len(mesh.vertices)
    return obj, mtl


def obj_text(vertices: np.ndarray, faces: np.ndarray, first: int = 1) -> str:
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    return "\n".join(lines + ["f " + " ".join(str(index + first) for index in face) for face in faces]) + "\n"


def textured_quads(size: float = 1.0) -> str:
    """A box in OBJ text, every face of which shows the whole texture of material `m`."""
    mesh = trimesh.creation.box(extents=[size, size, size])
    lines = [f"v {x:g} {y:g} {z:g}" for x, y, z in mesh.vertices] + ["vt 0 0", "vt 1 0", "vt 1 1", "usemtl m"]
    return "\n".join(lines + [f"f {a + 1}/1 {b + 1}/2 {c + 1}/3" for a, b, c in mesh.faces]) + "\n"


def store_asset(corpus: Corpus, file: Path) -> str:
    """Keep a file as the assets stage would; returns its path in the corpus."""
    return corpus.put_asset(file, sha256_of(file), file.suffix[1:])


def png(color: tuple[int, ...], size: int = 4) -> bytes:
    """A PNG of one colour, RGB or RGBA."""
    buffer = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", (size, size), color).save(buffer, "PNG")
    return buffer.getvalue()


def ray_distances(boxes: list[Box], origin: np.ndarray, directions_N3: np.ndarray) -> np.ndarray:
    """[N] smallest t >= 0 with `origin + t * direction` on a box, inf where there is none (the slab method)."""
    nearest = np.full(len(directions_N3), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for box in boxes:
            t1, t2 = (np.array(box.low) - origin) / directions_N3, (np.array(box.high) - origin) / directions_N3
            enter, leave = np.minimum(t1, t2).max(axis=1), np.maximum(t1, t2).min(axis=1)
            hit = (enter <= leave) & (enter >= 0)
            nearest[hit] = np.minimum(nearest[hit], enter[hit])
    return nearest
