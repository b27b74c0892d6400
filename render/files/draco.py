"""glTF files compressed with Draco (KHR_draco_mesh_compression), made plain: neither engine decodes them itself.

The `bpy` wheel lacks the library; DracoPy is Google's decoder as a Python package.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import COMPONENTS, Document, GltfFile, read_gltf

EXTENSION = "KHR_draco_mesh_compression"
BESIDE = "decompressed.bin"  # the new buffer, a file in the asset's own folder
UNSIGNED_INT = 5125  # of COMPONENTS


def decompress(main: Path, root: Path | None = None) -> None:
    """Rewrite the file with plain accessors, in a buffer beside it; others stay as they are.

    Args:
        root: the folder that the asset was unpacked into; without one, the main file's own.

    Raises:
        AssetError: what is compressed cannot be decoded.
    """
    file = read_gltf(main, root)
    document = file.document
    try:
        primitives = [primitive for mesh in document["meshes"] for primitive in mesh["primitives"]]
        packed = [primitive for primitive in primitives if EXTENSION in primitive.get("extensions", {})]
        if not packed:
            return
        plain = PlainBuffer(document)
        for primitive in packed:
            _unpack(primitive, file, plain)
        for key in ("extensionsUsed", "extensionsRequired"):
            document[key] = [name for name in document.get(key, []) if name != EXTENSION]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise AssetError(f"its Draco compression is not valid: {type(error).__name__}: {error}") from error
    plain.write(main.parent / BESIDE)
    file.document = {key: value for key, value in document.items() if value != []}
    file.write()


class PlainBuffer:
    """A buffer that grows at the end of a document's list."""

    def __init__(self, document: Document):
        self._document = document
        self._number = len(document["buffers"])
        self._data = bytearray()

    def add(self, values: np.ndarray, accessor: dict[str, Any]) -> int:
        """Append [N, K] values, rows on multiples of 4 bytes (glTF 2.0, section 3.6.2.4); returns the new accessor."""
        row_bytes = values.itemsize * values.shape[1]
        stride = row_bytes + -row_bytes % 4
        rows = np.zeros((len(values), stride), np.uint8)
        rows[:, :row_bytes] = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), row_bytes)
        view = {"buffer": self._number, "byteOffset": len(self._data), "byteLength": rows.size, "byteStride": stride}
        if accessor["type"] == "SCALAR":
            del view["byteStride"]  # indices have none; theirs are 4 bytes wide
        self._data += rows.tobytes()
        views, accessors = self._document["bufferViews"], self._document["accessors"]
        views.append(view)
        accessors.append({**accessor, "bufferView": len(views) - 1, "byteOffset": 0, "count": len(values)})
        return len(accessors) - 1

    def write(self, path: Path) -> None:
        """Write the file, and note it in the document.

        Raises:
            AssetError: the asset has a file of this name.
        """
        if path.exists():
            raise AssetError(f"it has a file {path.name}, the name reserved for its copy without Draco compression")
        path.write_bytes(self._data)
        self._document["buffers"].append({"uri": path.name, "byteLength": len(self._data)})


def _unpack(primitive: dict[str, Any], file: GltfFile, plain: PlainBuffer) -> None:
    import DracoPy  # only for the files that need it

    packed = primitive["extensions"].pop(EXTENSION)
    view = file.document["bufferViews"][packed["bufferView"]]
    data, start = file.buffer(view["buffer"]), view.get("byteOffset", 0)
    try:
        mesh = DracoPy.decode(data[start : start + view["byteLength"]])
    except (DracoPy.FileTypeException, RuntimeError, MemoryError) as error:
        raise ValueError(f"it cannot be decoded ({error})") from error
    accessors = file.document["accessors"]
    for name, unique_id in packed["attributes"].items():
        old = accessors[primitive["attributes"][name]]
        values = np.asarray(mesh.get_attribute_by_unique_id(unique_id)["data"])
        values = values.reshape(len(mesh.points), -1).astype(COMPONENTS[old["componentType"]])
        primitive["attributes"][name] = plain.add(values, old)
    corners = np.asarray(mesh.faces, np.uint32).reshape(-1, 1)
    primitive["indices"] = plain.add(corners, {"componentType": UNSIGNED_INT, "type": "SCALAR"})
