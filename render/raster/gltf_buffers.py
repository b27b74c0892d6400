"""A glTF file's accessors as arrays (section 3.6 of the specification)."""

from typing import Any

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import COMPONENTS, GltfFile

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MAX_VALUES = 2**26  # of one accessor; sparse ones may claim any number without a byte in the file


class Buffers:
    """Reads a file's accessors and views; each buffer is read once."""

    def __init__(self, file: GltfFile):
        self._file, self._document = file, file.document
        self._data: dict[int, bytes] = {}

    def accessor(self, index: int) -> np.ndarray:
        """[count, width]: the stored integers, or floats; normalised integers become floats.

        Raises:
            AssetError: it reaches beyond its buffer.
        """
        accessor = self._document["accessors"][index]
        count, width, kind = accessor["count"], WIDTHS[accessor["type"]], COMPONENTS[accessor["componentType"]]
        if not 1 <= count <= MAX_VALUES // width:
            raise AssetError(f"accessor {index} claims {count} elements")
        if "bufferView" in accessor:
            rows = self._elements(accessor, count, width, kind, f"accessor {index}")
        else:
            rows = np.zeros((count, width), kind)
        if "sparse" in accessor:
            self._substitute(accessor["sparse"], rows, f"accessor {index}")
        if not accessor.get("normalized", False) or kind is np.float32:
            return rows
        return np.maximum(rows / np.iinfo(kind).max, -1)

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self._document["bufferViews"][index]
        start, length = view.get("byteOffset", 0), view["byteLength"]
        data = self._buffer(view["buffer"])
        if start < 0 or length < 0 or start + length > len(data):
            raise AssetError(f"buffer view {index} reaches beyond its buffer")
        return data[start : start + length]

    def _elements(self, place: dict[str, Any], count: int, width: int, kind: type, name: str) -> np.ndarray:
        """[count, width] of what a view holds from an offset on, copied."""
        view = self._document["bufferViews"][place["bufferView"]]
        data, start, size = self.view(place["bufferView"]), place.get("byteOffset", 0), np.dtype(kind).itemsize
        stride = view.get("byteStride", size * width)
        if start < 0 or stride < size * width or start + stride * (count - 1) + size * width > len(data):
            raise AssetError(f"{name} reaches beyond its buffer")
        return np.ndarray((count, width), kind, data, start, (stride, size)).copy()

    def _substitute(self, sparse: dict[str, Any], rows: np.ndarray, name: str) -> None:
        """Replace those elements that a sparse accessor lists (section 3.6.2.3)."""
        count, where, values = sparse["count"], sparse["indices"], sparse["values"]
        if not 1 <= count <= len(rows):
            raise AssetError(f"{name} replaces {count} of {len(rows)} elements")
        index = self._elements(where, count, 1, COMPONENTS[where["componentType"]], f"{name}, indices")[:, 0]
        if index.min() < 0 or index.max() >= len(rows):
            raise AssetError(f"{name} replaces elements that do not exist")
        rows[index] = self._elements(values, count, rows.shape[1], rows.dtype.type, f"{name}, values")

    def _buffer(self, index: int) -> bytes:
        if index not in self._data:
            self._data[index] = self._file.buffer(index)
        return self._data[index]
