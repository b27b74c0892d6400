"""glTF files as the tests want them: one quad, with anything that the format can say about it."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
UVS = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # v down
TRIANGLES = np.array([0, 1, 2, 0, 2, 3], np.uint16)
KINDS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
# Four colours, so that every turn and mirror image of the texture shows.
QUARTERS = np.array([[[250, 20, 20], [20, 230, 30]], [[30, 40, 240], [240, 220, 30]]], np.uint8)


class Quad:
    """A document with one mesh, one node and one material; the test changes what it is about, and writes it."""

    def __init__(self, corners: np.ndarray = CORNERS, uvs: np.ndarray = UVS, indices: np.ndarray = TRIANGLES):
        self._data = b""
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "bufferViews": [],
            "accessors": [],
            "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
            "textures": [{"source": 0, "sampler": 0}],
            "samplers": [{"magFilter": 9728, "minFilter": 9728}],
        }
        self.primitive: dict[str, Any] = {
            "attributes": {"POSITION": self.add(corners), "TEXCOORD_0": self.add(uvs)},
            "indices": self.add(indices),
            "material": 0,
        }
        self.document["meshes"] = [{"primitives": [self.primitive]}]
        self.image(QUARTERS)

    @property
    def node(self) -> dict[str, Any]:
        return self.document["nodes"][0]

    @property
    def material(self) -> dict[str, Any]:
        return self.document["materials"][0]

    @material.setter
    def material(self, value: dict[str, Any]) -> None:
        self.document["materials"][0] = value

    def add(self, values: np.ndarray, **more) -> int:
        """A new accessor; rows begin at multiples of four bytes."""
        values = np.asarray(values)
        rows = values.reshape(len(values), -1)
        padding = -rows.shape[1] * rows.itemsize % 4 if rows.shape[1] > 1 else 0
        raw = rows.view(np.uint8).reshape(len(rows), -1)
        view = self._view(np.pad(raw, ((0, 0), (0, padding))).tobytes())
        if padding:
            self.document["bufferViews"][view]["byteStride"] = raw.shape[1] + padding
        accessor = {"bufferView": view, "componentType": KINDS[values.dtype.name], "count": len(rows)}
        accessor |= {"type": SHAPES[rows.shape[1]], "min": rows.min(0).tolist(), "max": rows.max(0).tolist(), **more}
        self.document["accessors"].append(accessor)
        return len(self.document["accessors"]) - 1

    def add_sparse(self, count: int, index: np.ndarray, values: np.ndarray) -> int:
        """A new accessor of zeros, but for some rows."""
        where, what = self._view(index.tobytes()), self._view(values.tobytes())
        sparse = {"count": len(index), "values": {"bufferView": what}}
        sparse["indices"] = {"bufferView": where, "componentType": KINDS[index.dtype.name]}
        accessor = {"componentType": 5126, "count": count, "type": SHAPES[values.shape[1]], "sparse": sparse}
        self.document["accessors"].append(accessor | {"min": [-9.0] * 3, "max": [9.0] * 3})
        return len(self.document["accessors"]) - 1

    def image(self, pixels: np.ndarray, kind: str = "PNG") -> int:
        """A new image, the first one of all or a further one; returns its index."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **({"lossless": True} if kind == "WEBP" else {}))
        images = self.document.setdefault("images", [])
        images.append({"bufferView": self._view(buffer.getvalue()), "mimeType": f"image/{kind.lower()}"})
        return len(images) - 1

    def uses(self, *extensions: str) -> None:
        self.document.setdefault("extensionsUsed", []).extend(extensions)

    def write(self, folder: Path) -> Path:
        uri = "data:application/octet-stream;base64," + base64.b64encode(self._data).decode()
        content = {**self.document, "buffers": [{"uri": uri, "byteLength": len(self._data)}]}
        (folder / "asset.gltf").write_text(json.dumps(content))
        return folder / "asset.gltf"

    def _view(self, data: bytes) -> int:
        views = self.document["bufferViews"]
        views.append({"buffer": 0, "byteOffset": len(self._data), "byteLength": len(data)})
        self._data += data + bytes(-len(data) % 4)
        return len(views) - 1
