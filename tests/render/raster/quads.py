"""Unit quads in the plane z = 0 as glTF files, which the tests fill with materials."""

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image

DEFAULT_MATERIAL = {"pbrMetallicRoughness": {}}


def quad_gltf(
    folder: Path,
    surface: dict | None = None,
    material: dict | None = None,
    sampler: dict | None = None,
    uv_range: tuple[float, float] = (0.0, 1.0),
    colors: list[float] | None = None,
    layers: int = 1,
    gap: float = 1e-4,
    **document,
) -> Path:
    """A file `asset.gltf` with `layers` unit quads, each `gap` above the one before.

    Texture 0 is `texture.png` in the same folder. Texture coordinates span `uv_range` from the corner of least x and
    greatest y (v down).

    Args:
        surface: pbrMetallicRoughness of the material, where `material` is not given whole.
        colors: linear RGB of all vertices.
        document: further or other top-level entries.
    """
    low, high = uv_range
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    uvs = np.array([[low, high], [high, high], [high, low], [low, low]], np.float32)
    vertices = np.concatenate([corners + [0, 0, gap * layer] for layer in range(layers)]).astype(np.float32)
    indices = np.concatenate([np.array([0, 1, 2, 0, 2, 3]) + 4 * layer for layer in range(layers)]).astype(np.uint16)
    arrays = [vertices, np.tile(uvs, (layers, 1)), indices]
    attributes = {"POSITION": 0, "TEXCOORD_0": 1}
    if colors is not None:
        arrays.append(np.tile(np.array(colors, np.float32), (len(vertices), 1)))
        attributes["COLOR_0"] = 3
    content = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 2, "material": 0}]}],
        "materials": [material or {"pbrMetallicRoughness": surface or {}}],
        "textures": [{"source": 0, "sampler": 0}],
        "images": [{"uri": "texture.png"}],
        "samplers": [sampler or {}],
        **packed(arrays),
        **document,
    }
    (folder / "asset.gltf").write_text(json.dumps(content))
    return folder / "asset.gltf"


def packed(arrays: list[np.ndarray]) -> dict:
    """Buffer, buffer views and accessors of arrays."""
    kinds = {"float32": 5126, "uint16": 5123}
    data, views, accessors = b"", [], []
    for number, array in enumerate(arrays):
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": array.nbytes})
        shape = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}[array.shape[1] if array.ndim > 1 else 1]
        kind = kinds[array.dtype.name]
        accessors.append({"bufferView": number, "componentType": kind, "count": len(array), "type": shape})
        data += array.tobytes() + bytes(-array.nbytes % 4)
    uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    return {"buffers": [{"uri": uri, "byteLength": len(data)}], "bufferViews": views, "accessors": accessors}


def write_png(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)
