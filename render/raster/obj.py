"""Wavefront OBJ: geometry by trimesh, materials by our own reading of MTL, which keeps floats and names."""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from pipeline.errors import AssetError
from render.color import srgb_to_linear
from render.engine import Unsupported
from render.raster.scene import BLEND, GREY, Loaded, Material, Part, Texture
from render.raster.textures import TextureReader

MTLLIB = re.compile(r"^[ \t]*mtllib[ \t]+(.+?)[ \t]*$", re.MULTILINE)
RELATIVE_INDEX = re.compile(r"^[ \t]*f[ \t][^\n]*-", re.MULTILINE)
NORMAL = re.compile(r"^[ \t]*vn[ \t]", re.MULTILINE)
OPACITY = ("d", "tr")


@dataclass
class MtlEntry:
    """The statements of one material, as strings, by lower-case keyword; the last one of a kind counts."""

    statements: dict[str, str]

    def numbers(self, keyword: str, count: int) -> list[float] | None:
        """The first `count` numbers of a statement; None if it is absent or says something else."""
        words = self.statements.get(keyword, "").split()
        try:
            values = [float(word) for word in words[:count]]
        except ValueError:
            return None
        return values if len(values) == count and np.isfinite(values).all() else None

    def texture(self, keyword: str) -> str | None:
        """The file of a map_ statement.

        Raises:
            AssetError: it has options (offset, scale, …), which this engine does not know.
        """
        name = self.statements.get(keyword)
        if name is not None and name.startswith("-"):
            raise Unsupported(f"its MTL file has a texture with options, {keyword} {name[:80]!r}")
        return name


def load_obj(path: Path) -> Loaded:
    """The parts of an OBJ file, one per material.

    Raises:
        AssetError: it cannot be read, or asks for what this engine does not know.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if RELATIVE_INDEX.search(text):
        raise Unsupported("its faces count vertices backwards (negative indices)")
    entries = read_mtl_files(path.parent, MTLLIB.findall(text))
    textures = TextureReader(path.parent)
    try:
        scene = trimesh.load(
            io.BytesIO(text.encode()), file_type="obj", resolver=_NamesOnly(entries), force="scene", process=False
        )
    except Exception as error:  # the reader raises all kinds of errors on broken files
        raise AssetError(f"it is not a readable OBJ file: {type(error).__name__}: {error}") from error
    parts = []
    for mesh in scene.geometry.values():
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            parts.append(_part(mesh, entries, textures, NORMAL.search(text) is not None))
    return Loaded(parts, textures.unreadable)


def read_mtl_files(folder: Path, names: list[str]) -> dict[str, MtlEntry]:
    """Materials by name of those MTL files that are there; the first definition of a name counts.

    Args:
        folder: the asset's own; names that lead out of it are as good as missing.
    """
    entries: dict[str, MtlEntry] = {}
    for name in names:
        path = (folder / name.replace("\\", "/")).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            continue
        current: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            keyword, _, value = line.strip().partition(" ")
            if keyword.lower() == "newmtl":
                current = {}
                entries.setdefault(" ".join(value.split()), MtlEntry(current))
            else:
                current[keyword.lower()] = value.strip()
    return entries


def make_material(entry: MtlEntry | None, textures: TextureReader, has_uvs: bool) -> Material:
    """The material of an MTL entry, as Blender's importer reads it but for plain colours, which are sRGB here.

    Raises:
        AssetError: its opacity comes from an image of its own, or a texture has options.
    """
    if entry is None:
        return Material()
    color = _linear(entry.numbers("kd", 3)) or GREY
    emission = _linear(entry.numbers("ke", 3)) or (0.0, 0.0, 0.0)
    texture = _texture(entry.texture("map_kd"), textures, has_uvs)
    glow = _texture(entry.texture("map_ke"), textures, has_uvs)
    opacity_map = entry.texture("map_d")
    if opacity_map is not None and opacity_map != entry.texture("map_kd"):
        raise Unsupported("the opacity of a material is an image of its own")
    opacity, clearness = (entry.numbers(keyword, 1) for keyword in OPACITY)
    alpha = opacity[0] if opacity else 1 - clearness[0] if clearness else 1.0
    texture_alpha = texture is not None and opacity_map is not None
    return Material(
        color=(1.0, 1.0, 1.0) if texture else color,
        alpha=1.0 if texture_alpha else min(max(alpha, 0.0), 1.0),
        texture=texture,
        texture_alpha=texture_alpha,
        alpha_mode=BLEND,
        emission=(1.0, 1.0, 1.0) if glow else emission,
        emission_texture=glow,
    )


def _part(mesh: trimesh.Trimesh, entries: dict[str, MtlEntry], textures: TextureReader, smoothed: bool) -> Part:
    visual = mesh.visual
    uvs = getattr(visual, "uv", None)
    name = getattr(getattr(visual, "material", None), "name", None)
    material = make_material(entries.get(name), textures, uvs is not None)
    colors = None
    if material.texture is None and visual.kind == "vertex":
        material, colors = Material(color=(1.0, 1.0, 1.0)), linear_vertex_colors(visual.vertex_colors)
    if uvs is not None:
        uvs = np.column_stack([uvs[:, 0], 1 - uvs[:, 1]])
    # Where a file has no normals, trimesh would make some that smooth every edge.
    normals = np.asarray(mesh.vertex_normals) if smoothed else None
    return Part(np.asarray(mesh.vertices), np.asarray(mesh.faces), material, uvs, colors, normals)


def linear_vertex_colors(srgb_bytes: np.ndarray) -> np.ndarray:
    """[N, 4] linear and opaque, of [N, 4] uint8."""
    colors = np.ones((len(srgb_bytes), 4))
    colors[:, :3] = srgb_to_linear(np.asarray(srgb_bytes)[:, :3] / 255)
    return colors


def _linear(srgb: list[float] | None) -> tuple[float, float, float] | None:
    return None if srgb is None else tuple(srgb_to_linear(np.clip(srgb, 0, 1)).tolist())


def _texture(name: str | None, textures: TextureReader, has_uvs: bool) -> Texture | None:
    pixels = textures.file(name) if name and has_uvs else None
    return None if pixels is None else Texture(pixels)


class _NamesOnly(trimesh.resolvers.Resolver):
    """Gives trimesh, whatever file it asks for, an MTL file with the materials' names: no path is ever followed."""

    def __init__(self, names):
        self._text = "".join(f"newmtl {name}\n" for name in names).encode()

    def get(self, key):
        return self._text

    def write(self, name, data):
        raise NotImplementedError

    def namespaced(self, namespace):
        raise NotImplementedError

    def keys(self):
        return ()
