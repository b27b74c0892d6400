"""Materials of a glTF file (section 3.9 of the specification): base colour, alpha and emission."""

import base64
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from render.engine import Unsupported
from render.gltf import Document
from render.raster.scene import BLEND, CLAMP, MASK, MIRROR, OPAQUE, REPEAT, Material, Texture
from render.raster.textures import TextureReader

ALPHA_MODES = {"OPAQUE": OPAQUE, "MASK": MASK, "BLEND": BLEND}
WRAP_MODES = {10497: REPEAT, 33071: CLAMP, 33648: MIRROR}
NEAREST_FILTERS = (9728, 9984, 9986)


class BufferViews(Protocol):
    """The part of `gltf_mesh.Buffers` that images need."""

    def view(self, index: int) -> bytes: ...


class MaterialReader:
    """Reads each material, and each of its images, once."""

    def __init__(self, folder: Path, document: Document, buffers: BufferViews):
        self.textures = TextureReader(folder)
        self._document, self._buffers = document, buffers
        self._materials: dict[tuple[int, bool], Material] = {}

    def material(self, index: int | None, has_uvs: bool) -> Material | None:
        """The material of that index; None where a primitive names none.

        Args:
            has_uvs: whether the surface has texture coordinates; without them its textures are as good as absent.

        Raises:
            AssetError: a texture uses a second set of coordinates.
        """
        if index is None:
            return None
        key = (index, has_uvs)
        if key not in self._materials:
            self._materials[key] = self._read(self._document["materials"][index], has_uvs)
        return self._materials[key]

    def _read(self, entry: dict[str, Any], has_uvs: bool) -> Material:
        surface, extensions = entry.get("pbrMetallicRoughness", {}), entry.get("extensions", {})
        *color, alpha = (float(value) for value in surface.get("baseColorFactor", [1, 1, 1, 1]))
        texture = self._texture(surface.get("baseColorTexture"), has_uvs)
        strength = float(extensions.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1))
        factor = np.array(entry.get("emissiveFactor", [0, 0, 0]), np.float64).reshape(3)
        unlit = "KHR_materials_unlit" in extensions
        emission = np.zeros(3) if unlit else factor * strength
        glow = None
        if emission.any() and "emissiveTexture" in entry:
            glow = self._texture(entry["emissiveTexture"], has_uvs)
            emission = np.zeros(3) if glow is None else emission
        return Material(
            color=tuple(color),
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
        if reference.get("texCoord", 0) != 0:
            raise Unsupported("a texture uses a second set of coordinates")
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
        if uri.startswith("data:"):
            return self.textures.embedded(f"image {index}", base64.b64decode(uri.partition(",")[2]))
        return self.textures.file(uri)
