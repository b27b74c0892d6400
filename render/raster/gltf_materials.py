"""Materials of a glTF file (section 3.9 of the specification): base colour, alpha and emission."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.values.gltf import Document, decode_data_uri, is_data_uri
from render.raster.scene import BLEND, CLAMP, MASK, MIRROR, OPAQUE, REPEAT, Material, Texture
from render.raster.textures import TextureReader

ALPHA_MODES = {"OPAQUE": OPAQUE, "MASK": MASK, "BLEND": BLEND}
WRAP_MODES = {10497: REPEAT, 33071: CLAMP, 33648: MIRROR}
NEAREST_FILTERS = (9728, 9984, 9986)


@dataclass(frozen=True)
class Placement:
    """Which texture coordinates an image uses, and how they are moved first (KHR_texture_transform)."""

    coordinates: int = 0  # number of the set
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0  # radians
    scale: tuple[float, float] = (1.0, 1.0)

    def moved(self, uvs: np.ndarray) -> np.ndarray:
        """[N, 2] offset + rotation * scale * uvs, where a turn is counter-clockwise with v down."""
        c, s = math.cos(self.rotation), math.sin(self.rotation)
        return (uvs * self.scale) @ np.array([[c, s], [-s, c]]).T + self.offset


class BufferViews(Protocol):
    """The part of `gltf_mesh.Buffers` that images need."""

    def view(self, index: int) -> bytes: ...


class MaterialReader:
    """Reads each material, and each of its images, once."""

    def __init__(self, folder: Path, root: Path, document: Document, buffers: BufferViews):
        self.textures, self._folder = TextureReader(root), folder
        self._document, self._buffers = document, buffers
        self._materials: dict[tuple[int, bool, bool], Material] = {}

    def material(self, index: int | None, has_uvs: bool, has_glow_uvs: bool) -> Material | None:
        """The material of that index; None where a primitive names none.

        Args:
            has_uvs, has_glow_uvs: whether the surface has the texture coordinates that the base colour and the
                emission ask for (`placements`); without them a texture is as good as absent.
        """
        if index is None:
            return None
        key = (index, has_uvs, has_glow_uvs)
        if key not in self._materials:
            self._materials[key] = self._read(self._document["materials"][index], has_uvs, has_glow_uvs)
        return self._materials[key]

    def placements(self, index: int | None) -> tuple[Placement, Placement]:
        """How the textures of the base colour and of the emission lie on a surface of that material."""
        if index is None:
            return Placement(), Placement()
        entry = self._document["materials"][index]
        return _placement(_base_color(entry)[1]), _placement(entry.get("emissiveTexture"))

    def _read(self, entry: dict[str, Any], has_uvs: bool, has_glow_uvs: bool) -> Material:
        extensions = entry.get("extensions", {})
        (*color, alpha), base_texture = _base_color(entry)
        texture = self._texture(base_texture, has_uvs)
        strength = float(extensions.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1))
        factor = np.array(entry.get("emissiveFactor", [0, 0, 0]), np.float64).reshape(3)
        unlit = "KHR_materials_unlit" in extensions
        emission = np.zeros(3) if unlit else factor * strength
        glow = None
        if emission.any() and "emissiveTexture" in entry:
            glow = self._texture(entry["emissiveTexture"], has_glow_uvs)
            emission = np.zeros(3) if glow is None else emission
        return Material(
            color=(color[0], color[1], color[2]),
            alpha=alpha,
            texture=texture,
            texture_alpha=texture is not None,
            alpha_mode=ALPHA_MODES[entry.get("alphaMode", "OPAQUE")],
            alpha_cutoff=float(entry.get("alphaCutoff", 0.5)),
            emission=tuple(emission.tolist()),
            emission_texture=glow,
            unlit=unlit,
        )

    def _texture(self, reference: dict[str, Any] | None, has_uvs: bool) -> Texture | None:
        """None where there is none, it cannot be read or the surface has no coordinates."""
        if reference is None or not has_uvs:
            return None
        texture = self._document["textures"][reference["index"]]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture).get("source")
        pixels = None if source is None else self._pixels(source)
        if pixels is None:
            return None
        sampler = self._document["samplers"][texture["sampler"]] if "sampler" in texture else {}
        # As Blender's importer decides: squares only if nothing asks for interpolation.
        filters = [sampler[name] for name in ("minFilter", "magFilter") if name in sampler]
        return Texture(
            pixels,
            WRAP_MODES[sampler.get("wrapS", 10497)],
            WRAP_MODES[sampler.get("wrapT", 10497)],
            nearest=bool(filters) and all(value in NEAREST_FILTERS for value in filters),
        )

    def _pixels(self, index: int) -> np.ndarray | None:
        image = self._document["images"][index]
        uri = image.get("uri")
        if uri is None:
            return self.textures.embedded(f"image {index}", self._buffers.view(image["bufferView"]))
        if is_data_uri(uri):
            return self.textures.embedded(f"image {index}", decode_data_uri(uri))
        return self.textures.file(uri, self._folder)


def _base_color(entry: dict[str, Any]) -> tuple[list[float], dict[str, Any] | None]:
    """([4] linear RGBA factor, reference to a texture or None) of either kind of material."""
    glossy = entry.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    if glossy is not None:
        factor, texture = glossy.get("diffuseFactor"), glossy.get("diffuseTexture")
    else:
        metallic = entry.get("pbrMetallicRoughness", {})
        factor, texture = metallic.get("baseColorFactor"), metallic.get("baseColorTexture")
    red, green, blue, alpha = (float(value) for value in factor or (1, 1, 1, 1))
    return [red, green, blue, alpha], texture


def _placement(reference: dict[str, Any] | None) -> Placement:
    if reference is None:
        return Placement()
    moved = reference.get("extensions", {}).get("KHR_texture_transform", {})
    (x, y), (width, height) = moved.get("offset", (0, 0)), moved.get("scale", (1, 1))
    return Placement(
        coordinates=int(moved.get("texCoord", reference.get("texCoord", 0))),
        offset=(float(x), float(y)),
        rotation=float(moved.get("rotation", 0)),
        scale=(float(width), float(height)),
    )
