"""Materials of Wavefront MTL files, as floats and by name."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.values.color import srgb_to_linear
from pipeline.values.paths import file_inside
from render.engine import Unsupported
from render.raster.scene import BLEND, GREY, Material, Texture
from render.raster.textures import TextureReader

OPACITY = ("d", "tr")


@dataclass
class MtlEntry:
    """The statements of one material, as strings, by lower-case keyword; the last one of a kind counts."""

    statements: dict[str, str]
    folder: Path  # of the MTL file, which its textures are named relative to

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
            Unsupported: it has options (offset, scale, …), which this engine does not know.
        """
        name = self.statements.get(keyword)
        if name is not None and name.startswith("-"):
            raise Unsupported(f"its MTL file has a texture with options, {keyword} {name[:80]!r}")
        return name


def read_mtl_files(folder: Path, names: list[str], root: Path) -> dict[str, MtlEntry]:
    """Materials by name of those MTL files that are there; the first definition of a name counts.

    Args:
        folder: the OBJ file's own, which `names` are relative to.
        root: the asset's; names that lead out of it are as good as missing.
    """
    entries: dict[str, MtlEntry] = {}
    for name in names:
        path = file_inside(folder, name.replace("\\", "/"), root)
        if path is None:
            continue
        current: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            keyword, _, value = line.strip().partition(" ")
            if keyword.lower() == "newmtl":
                current = {}
                entries.setdefault(" ".join(value.split()), MtlEntry(current, path.parent))
            else:
                current[keyword.lower()] = value.strip()
    return entries


def make_material(entry: MtlEntry | None, textures: TextureReader, has_uvs: bool) -> Material:
    """The material of an MTL entry, as Blender's importer reads it but for plain colours, which are sRGB here.

    Raises:
        Unsupported: its opacity comes from an image of its own, or a texture has options.
    """
    if entry is None:
        return Material()
    color = _linear(entry.numbers("kd", 3)) or GREY
    emission = _linear(entry.numbers("ke", 3)) or (0.0, 0.0, 0.0)
    opacity_map = entry.texture("map_d")
    reader = textures if has_uvs else None
    texture = _texture(entry, "map_kd", reader, over_black=opacity_map is None)
    glow = _texture(entry, "map_ke", reader, over_black=True)
    if opacity_map is not None and opacity_map != entry.texture("map_kd"):
        raise Unsupported("a material has a separate opacity image")
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


def _linear(srgb: list[float] | None) -> tuple[float, float, float] | None:
    return None if srgb is None else tuple(srgb_to_linear(np.clip(srgb, 0, 1)).tolist())


def _texture(entry: MtlEntry, keyword: str, textures: TextureReader | None, over_black: bool) -> Texture | None:
    """An image whose own alpha nothing asks for shows over black, as in Blender: what its clear pixels hold is mostly
    no colour that anyone has chosen."""
    name = entry.texture(keyword)
    if not name or textures is None:
        return None
    pixels = (textures.file_over_black if over_black else textures.file)(name, entry.folder)
    return None if pixels is None else Texture(pixels)
