"""glTF 2.0 (.gltf, .glb): the default scene's triangles and materials. Sections refer to the specification.

Written here because what decides how an asset looks (factors as floats, wrap modes, normalised integers, extensions)
is what general mesh loaders drop without a word.
"""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from pipeline.errors import AssetError
from render.engine import Unsupported
from render.gltf import Document, read_document
from render.raster.gltf_materials import MaterialReader
from render.raster.scene import Loaded, Material, Part

# Extensions that change nothing that an unlit or matte surface at rest shows, or that are read here.
KNOWN_EXTENSIONS = frozenset(
    {
        "EXT_texture_webp",
        "KHR_lights_punctual",
        "KHR_materials_anisotropy",
        "KHR_materials_clearcoat",
        "KHR_materials_emissive_strength",
        "KHR_materials_ior",
        "KHR_materials_iridescence",
        "KHR_materials_sheen",
        "KHR_materials_specular",
        "KHR_materials_unlit",
        "KHR_mesh_quantization",
        "KHR_xmp_json_ld",
    }
)
COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
TRIANGLES = 4
MAX_DEPTH = 500  # of the node tree; also what ends a cycle


def load_gltf(path: Path, max_triangles: int) -> Loaded:
    """The parts of a glTF file, one per primitive and node that shows it.

    Raises:
        AssetError: it is not valid glTF, has more triangles than `max_triangles`, or asks for what this engine does
            not know.
    """
    document, binary = read_document(path)
    unknown = set(document.get("extensionsUsed", [])) | set(document.get("extensionsRequired", []))
    unknown -= KNOWN_EXTENSIONS
    if unknown:
        raise Unsupported(f"it uses {', '.join(sorted(map(str, unknown)))}")
    try:
        buffers = Buffers(path.parent, document, binary)
        materials = MaterialReader(path.parent, document, buffers)
        parts, room = [], max_triangles
        for mesh, matrix in _shown_meshes(document):
            for primitive in mesh["primitives"]:
                part = _part(primitive, matrix, buffers, materials)
                if part is None:
                    continue
                room -= len(part.faces)
                if room < 0:
                    raise AssetError(f"it has more than {max_triangles} triangles (render.max_triangles)")
                parts.append(part)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise AssetError(f"it is not valid glTF: {type(error).__name__}: {error}") from error
    return Loaded(parts, materials.textures.unreadable)


class Buffers:
    """The file's accessors as arrays (section 3.6)."""

    def __init__(self, folder: Path, document: Document, binary: bytes):
        self._folder, self._document, self._binary = folder.resolve(), document, binary
        self._data: dict[int, bytes] = {}

    def accessor(self, index: int) -> np.ndarray:
        """[count, width]: the stored integers, or floats; normalised integers become floats.

        Raises:
            AssetError: it is sparse, or reaches beyond its buffer.
        """
        accessor = self._document["accessors"][index]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise Unsupported("it has sparse accessors")
        kind, width, count = (
            np.dtype(COMPONENTS[accessor["componentType"]]),
            WIDTHS[accessor["type"]],
            accessor["count"],
        )
        view = self._document["bufferViews"][accessor["bufferView"]]
        data, start = self.view(accessor["bufferView"]), accessor.get("byteOffset", 0)
        stride = view.get("byteStride", kind.itemsize * width)
        end = start + stride * (count - 1) + kind.itemsize * width
        if start < 0 or stride < kind.itemsize * width or count < 1 or end > len(data):
            raise AssetError(f"accessor {index} reaches beyond its buffer")
        rows = np.ndarray((count, width), kind, data, start, (stride, kind.itemsize))
        if not accessor.get("normalized", False):
            return rows.copy()
        return np.maximum(rows / np.iinfo(kind).max, -1)

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self._document["bufferViews"][index]
        start, length = view.get("byteOffset", 0), view["byteLength"]
        data = self._buffer(view["buffer"])
        if start < 0 or length < 0 or start + length > len(data):
            raise AssetError(f"buffer view {index} reaches beyond its buffer")
        return data[start : start + length]

    def _buffer(self, index: int) -> bytes:
        if index not in self._data:
            uri = self._document["buffers"][index].get("uri")
            self._data[index] = self._binary if uri is None else self._read(uri)
        return self._data[index]

    def _read(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        path = (self._folder / unquote(uri)).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise AssetError(f"its buffer {uri[:100]!r} is not there")
        return path.read_bytes()


def _shown_meshes(document: Document) -> list[tuple[dict[str, Any], np.ndarray]]:
    """(mesh, [4, 4] matrix to the asset's frame) of every node that shows a mesh.

    Raises:
        AssetError: a skin or a morphed mesh, whose shape at rest needs more than its node's matrix; or a cycle.
    """
    nodes, scenes = document.get("nodes", []), document.get("scenes", [])
    children = {child for node in nodes for child in node.get("children", [])}
    roots = scenes[document.get("scene", 0)].get("nodes", []) if scenes else set(range(len(nodes))) - children
    shown, pending = [], [(index, np.eye(4), 0) for index in roots]
    visited = 0
    while pending:
        index, above, depth = pending.pop()
        visited += 1
        if depth > MAX_DEPTH or visited > len(nodes):
            raise AssetError("its nodes are no tree")
        node = nodes[index]
        matrix = above @ _local_matrix(node)
        pending += [(child, matrix, depth + 1) for child in node.get("children", [])]
        if "mesh" in node:
            mesh = document["meshes"][node["mesh"]]
            if "skin" in node:
                raise Unsupported("it has a skin (skeleton)")
            if any(node.get("weights", mesh.get("weights", []))):
                raise Unsupported("it is morphed at rest")
            shown.append((mesh, matrix))
    return shown


def _local_matrix(node: dict[str, Any]) -> np.ndarray:
    """[4, 4] of a node: its matrix (column-major), or translation * rotation * scale (section 3.5.3)."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", [0, 0, 0, 1]), np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.get("scale", [1, 1, 1]), np.float64)
    matrix[:3, 3] = node.get("translation", [0, 0, 0])
    return matrix


def _part(primitive: dict, matrix: np.ndarray, buffers: Buffers, materials: MaterialReader) -> Part | None:
    """None for points and lines."""
    mode, attributes = primitive.get("mode", TRIANGLES), primitive["attributes"]
    if mode < TRIANGLES:
        return None
    if mode > TRIANGLES:
        raise Unsupported("it has triangle strips or fans")
    vertices = buffers.accessor(attributes["POSITION"]).astype(np.float64)
    corners = buffers.accessor(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(len(vertices))
    uvs = buffers.accessor(attributes["TEXCOORD_0"]).astype(np.float64) if "TEXCOORD_0" in attributes else None
    colors = _colors(buffers.accessor(attributes["COLOR_0"])) if "COLOR_0" in attributes else None
    material = materials.material(primitive.get("material"), uvs is not None)
    if material is None:
        material = Material() if colors is None else Material(color=(1.0, 1.0, 1.0))
    faces = corners.astype(np.int64).reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirror image would show its inside (section 3.5.3)
    normals = buffers.accessor(attributes["NORMAL"]).astype(np.float64) if "NORMAL" in attributes else None
    if normals is not None:
        normals = normals @ np.linalg.pinv(matrix[:3, :3])
    return Part(vertices @ matrix[:3, :3].T + matrix[:3, 3], faces, material, uvs, colors, normals)


def _colors(stored: np.ndarray) -> np.ndarray:
    """[N, 4] linear RGBA of RGB or RGBA."""
    return stored if stored.shape[1] == 4 else np.column_stack([stored, np.ones(len(stored))])
