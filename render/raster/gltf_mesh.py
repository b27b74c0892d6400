"""glTF 2.0 (.gltf, .glb): the default scene's triangles and materials. Sections refer to the specification.

Written here because what decides how an asset looks (factors as floats, wrap modes, normalised integers, extensions)
is what general mesh loaders drop without a word.
"""

from pathlib import Path

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import read_gltf
from render.engine import Unsupported
from render.raster.gltf_buffers import Buffers
from render.raster.gltf_materials import MaterialReader, Placement
from render.raster.gltf_nodes import ShownMesh, Tree
from render.raster.gltf_skin import Skins
from render.raster.scene import Loaded, Material, Part

# Extensions that change nothing that an unlit or matte surface at rest shows, or that are read here.
KNOWN_EXTENSIONS = frozenset(
    {
        "EXT_texture_webp",
        "FB_ngon_encoding",
        "KHR_lights_punctual",
        "KHR_materials_anisotropy",
        "KHR_materials_clearcoat",
        "KHR_materials_emissive_strength",
        "KHR_materials_ior",
        "KHR_materials_iridescence",
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_materials_sheen",
        "KHR_materials_specular",
        "KHR_materials_unlit",
        "KHR_materials_variants",
        "KHR_mesh_quantization",
        "KHR_texture_transform",
        "KHR_xmp_json_ld",
    }
)
TRIANGLES, STRIP, FAN = 4, 5, 6


def load_gltf(path: Path, max_triangles: int, root: Path | None = None) -> Loaded:
    """The parts of a glTF file, one per primitive and node that shows it; `root` as for `render.raster.load.load`.

    Raises:
        AssetError: it is not valid glTF, or has more triangles than `max_triangles`.
        Unsupported: it uses an extension that is not known here.
    """
    file = read_gltf(path, root)
    document = file.document
    unknown = set(document.get("extensionsUsed", [])) | set(document.get("extensionsRequired", []))
    unknown -= KNOWN_EXTENSIONS
    if unknown:
        raise Unsupported(f"it uses {', '.join(sorted(map(str, unknown)))}")
    try:
        buffers, tree = Buffers(file), Tree(document)
        reader = _PrimitiveReader(
            buffers, MaterialReader(path.parent, root or path.parent, document, buffers), Skins(document, tree, buffers)
        )
        parts, room = [], max_triangles
        for shown in tree.shown_meshes():
            for primitive in shown.mesh["primitives"]:
                part = reader.part(primitive, shown)
                if part is None:
                    continue
                room -= len(part.faces)
                if room < 0:
                    raise AssetError(f"it has more than {max_triangles} triangles (render.max_triangles)")
                parts.append(part)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, np.linalg.LinAlgError) as error:
        raise AssetError(f"it is not valid glTF: {type(error).__name__}: {error}") from error
    return Loaded(parts, reader.materials.textures.unreadable)


class _PrimitiveReader:
    """Primitives as parts, in the asset's own frame."""

    def __init__(self, buffers: Buffers, materials: MaterialReader, skins: Skins):
        self.materials = materials
        self._buffers, self._skins = buffers, skins

    def part(self, primitive: dict, shown: ShownMesh) -> Part | None:
        """None for points and lines."""
        mode, attributes = primitive.get("mode", TRIANGLES), primitive["attributes"]
        if mode < TRIANGLES:
            return None
        vertices = self._morphed("POSITION", primitive, shown.weights)
        normals = self._morphed("NORMAL", primitive, shown.weights) if "NORMAL" in attributes else None
        if "indices" in primitive:
            corners = self._buffers.accessor(primitive["indices"])[:, 0].astype(np.int64)
        else:
            corners = np.arange(len(vertices))
        faces = _faces(corners, mode)
        matrices = shown.matrix
        if shown.skin is not None:
            matrices = self._skins.vertex_matrices(shown.skin, attributes)
        elif np.linalg.det(matrices[:3, :3]) < 0:
            faces = faces[:, ::-1]  # a mirror image would show its inside (section 3.5.3)
        vertices = (matrices[..., :3, :3] @ vertices[..., None])[..., 0] + matrices[..., :3, 3]
        if normals is not None:
            inverse = np.linalg.pinv(matrices[..., :3, :3])
            normals = (np.swapaxes(inverse, -1, -2) @ normals[..., None])[..., 0]
        colors = _colors(self._buffers.accessor(attributes["COLOR_0"])) if "COLOR_0" in attributes else None
        base, glow = self.materials.placements(primitive.get("material"))
        base_uvs, glow_uvs = self._uvs(attributes, base), self._uvs(attributes, glow)
        material = self.materials.material(primitive.get("material"), base_uvs is not None, glow_uvs is not None)
        if material is None:
            material = Material() if colors is None else Material(color=(1.0, 1.0, 1.0))
        if material.emission_texture is None or base == glow:
            glow_uvs = None
        return Part(vertices, faces, material, base_uvs, colors, normals, glow_uvs)

    def _morphed(self, name: str, primitive: dict, weights: list[float]) -> np.ndarray:
        """[N, 3] an attribute, with its morph targets as far as they are on at rest (section 3.7.2.2)."""
        values = self._buffers.accessor(primitive["attributes"][name]).astype(np.float64)
        for weight, target in zip(weights, primitive.get("targets", []), strict=False):
            if weight and name in target:
                values = values + weight * self._buffers.accessor(target[name])
        return values

    def _uvs(self, attributes: dict[str, int], placement: Placement) -> np.ndarray | None:
        """[N, 2] texture coordinates as an image wants them; None if the surface has not that set."""
        name = f"TEXCOORD_{placement.coordinates}"
        if name not in attributes:
            return None
        return placement.moved(self._buffers.accessor(attributes[name]).astype(np.float64))


def _faces(corners: np.ndarray, mode: int) -> np.ndarray:
    """[F, 3] of a list, a strip or a fan of triangles (section 3.7.2.1)."""
    if mode == TRIANGLES:
        return corners.reshape(-1, 3)
    count = max(len(corners) - 2, 0)
    step = np.arange(count)
    if mode == STRIP:  # every other one runs the other way round
        return corners[np.stack([step, step + 1 + step % 2, step + 2 - step % 2], axis=1)]
    if mode == FAN:
        return corners[np.stack([step + 1, step + 2, np.zeros(count, np.int64)], axis=1)]
    raise AssetError(f"it has primitives of mode {mode}, which does not exist")


def _colors(stored: np.ndarray) -> np.ndarray:
    """[N, 4] linear RGBA of RGB or RGBA."""
    return stored if stored.shape[1] == 4 else np.column_stack([stored, np.ones(len(stored))])
