"""Finds vertices whose coordinates are not finite, before Blender does: its importers silently move them.

USD files are looked into once Blender has read them (`render.blender.worker.load`). What is broken otherwise is left to
the importer, which says so.
"""

import mmap
import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import GltfFile, read_gltf

FLOAT = 5126  # glTF's componentType
# A vertex of an OBJ file, one of whose first three numbers a 32-bit float cannot hold
OBJ_VERTEX = re.compile(
    rb"^[ \t]*v(?:[ \t]+[^ \t\r\n]+){0,2}[ \t]+[^ \t\r\n]*(?:nan|inf|e\+?0*(?:39|[4-9]\d|[1-9]\d\d+)(?!\d))",
    re.MULTILINE | re.IGNORECASE,
)

# The property of a binary FBX file's node "Vertices": kind of number, how many, whether they are packed, bytes
FBX_VERTICES = re.compile(rb"\x08Vertices([df])(.{12})", re.DOTALL)
FBX_ARRAY = struct.Struct("<III")
COLLADA = "{http://www.collada.org/2005/11/COLLADASchema}"


def refuse_infinite(main: Path, root: Path | None = None) -> None:
    """Refuse an asset with a vertex whose place is not finite.

    Args:
        root: the folder that the asset was unpacked into; without one, the main file's own.

    Raises:
        AssetError: there is such a vertex.
    """
    of_gltf = partial(_gltf_is_finite, root=root)
    tests: dict[str, Callable[[Path], bool]] = {".glb": of_gltf, ".gltf": of_gltf, ".obj": _obj_is_finite}
    tests |= {".ply": _mesh_is_finite, ".stl": _mesh_is_finite, ".fbx": _fbx_is_finite, ".dae": _collada_is_finite}
    if main.suffix in tests and not tests[main.suffix](main):
        raise AssetError("it has vertices whose coordinates are not finite")


def _obj_is_finite(main: Path) -> bool:
    with main.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return OBJ_VERTEX.search(data) is None


def _mesh_is_finite(main: Path) -> bool:
    import trimesh  # 75 MB with all that it imports: only workers that need it have it

    try:
        with main.open("rb") as file:
            mesh: Any = trimesh.load(file, file_type=main.suffix[1:], force="mesh", process=False)
        return bool(np.isfinite(mesh.vertices[mesh.faces.ravel()]).all())
    except Exception:  # the readers raise all kinds of errors on broken files; Blender decides
        return True


def _fbx_is_finite(main: Path) -> bool:
    with main.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for found in FBX_VERTICES.finditer(data):
            width = 8 if found[1] == b"d" else 4
            count, packed, size = FBX_ARRAY.unpack(found[2])
            if size > len(data) - found.end():
                return True  # cut short: Blender says so
            values = data[found.end() : found.end() + size]
            if packed:
                try:
                    values = zlib.decompressobj().decompress(values, count * width or 1)
                except zlib.error:
                    return True
            numbers = np.frombuffer(values[: len(values) // width * width], f"<f{width}")
            if not _fit_float32(numbers):
                return False
    return True


def _collada_is_finite(main: Path) -> bool:
    """`pipeline.assets.files.checks` has let no file with XML entities through."""
    try:
        document = ElementTree.parse(main)
        return all(_fit_float32(np.array(text.split(), np.float64)) for text in _collada_positions(document))
    except (ElementTree.ParseError, ValueError):
        return True


def _collada_positions(document: "ElementTree.ElementTree[Any]") -> Iterator[str]:
    """The numbers of each source that vertices have their places from."""
    inputs = document.iterfind(f".//{COLLADA}vertices/{COLLADA}input[@semantic='POSITION']")
    places = {entry.get("source", "").removeprefix("#") for entry in inputs}
    for source in document.iter(f"{COLLADA}source"):
        numbers = source.find(f"{COLLADA}float_array")
        if source.get("id") in places and numbers is not None:
            yield numbers.text or ""


def _fit_float32(values: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(values.astype(np.float32)).all())


def _gltf_is_finite(main: Path, root: Path | None) -> bool:
    file = read_gltf(main, root)
    buffers: dict[int, bytes] = {}
    try:
        primitives = [primitive for mesh in file.document["meshes"] for primitive in mesh["primitives"]]
        used = {primitive["attributes"]["POSITION"] for primitive in primitives}
        return all(np.isfinite(_floats(index, file, buffers)).all() for index in used)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # Blender decides
        return True


def _floats(index: int, file: GltfFile, buffers: dict[int, bytes]) -> np.ndarray:
    """[N, 3] of an accessor; [0, 3] where it holds no plain floats."""
    accessor: dict[str, Any] = file.document["accessors"][index]
    if accessor["componentType"] != FLOAT or "bufferView" not in accessor:
        return np.zeros((0, 3))
    view = file.document["bufferViews"][accessor["bufferView"]]
    number = view["buffer"]
    if number not in buffers:
        buffers[number] = file.buffer(number)
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    return np.ndarray((accessor["count"], 3), "<f4", buffers[number], start, (view.get("byteStride", 12), 4))
