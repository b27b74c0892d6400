"""A glTF 2.0 file, .gltf or .glb: read, refused where it is broken, and written back. Sections are the specification's.

The one reader below all rooms: what it lets through, the assets stage stores and the renderers open.
"""

import base64
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.paths import file_inside

HEADER = struct.Struct("<4sII")  # magic, version, length of the whole file (section 4.4.2)
CHUNK = struct.Struct("<I4s")  # length of the chunk's data, kind (section 4.4.3)
JSON_START = HEADER.size + CHUNK.size
LISTS = ("meshes", "buffers", "images", "textures")  # what the readers walk through without a second look
COMPONENTS: dict[int, Any] = {  # types of an accessor's numbers (section 3.6.2.2)
    5120: np.int8,
    5121: np.uint8,
    5122: np.int16,
    5123: np.uint16,
    5125: np.uint32,
    5126: np.float32,
}
Document = dict[str, Any]


@dataclass
class GltfFile:
    """A file's JSON document, which may be changed and written back, and its binary chunk (empty where it has none)."""

    path: Path
    document: Document
    binary: bytes
    root: Path | None = None  # the asset's folder, which its files lie in at any depth; None: the file's own folder

    def named(self, kind: str) -> list[str]:
        """The paths, percent-decoded, that its "buffers" or "images" name; data URIs are not paths."""
        uris = [entry["uri"] for entry in self.document.get(kind, ()) if "uri" in entry]
        return [unquote(uri) for uri in uris if not is_data_uri(uri)]

    def buffer(self, index: int) -> bytes:
        """The content of a buffer: the binary chunk, a data URI, or a file of the asset.

        Raises:
            AssetError: there is no such buffer, or its URI names no file there.
        """
        buffers = self.document.get("buffers", [])
        if not 0 <= index < len(buffers):
            raise AssetError(f"{self.path.name}: it uses buffer {index}, but has {len(buffers)}")
        uri = buffers[index].get("uri")
        if uri is None:
            return self.binary
        if is_data_uri(uri):
            return decode_data_uri(uri)
        file = file_inside(self.path.parent, unquote(uri), self.root)
        if file is None:
            raise AssetError(f"{self.path.name}: its buffer {uri[:100]!r} is not in the asset's folder; add it")
        return file.read_bytes()

    def write(self) -> None:
        """Replace the document in the file; a .glb keeps its other chunks, byte for byte.

        Raises:
            AssetError: the document is nested too deeply.
        """
        try:
            text = json.dumps(self.document, separators=(",", ":"), sort_keys=True).encode()
        except RecursionError as error:
            raise AssetError(f"{self.path.name}: its JSON is nested too deeply; export it again") from error
        if self.path.suffix != ".glb":
            self.path.write_bytes(text)
            return
        with self.path.open("rb") as file:
            _, _, length = HEADER.unpack(file.read(HEADER.size))
            json_length, _ = CHUNK.unpack(file.read(CHUNK.size))
            file.seek(json_length, 1)
            rest = file.read(length - file.tell())
        text += b" " * (-len(text) % 4)
        length = JSON_START + len(text) + len(rest)
        self.path.write_bytes(HEADER.pack(b"glTF", 2, length) + CHUNK.pack(len(text), b"JSON") + text + rest)


def read_gltf(path: Path, root: Path | None = None) -> GltfFile:
    """The file at `path`; one named .glb is binary, any other text.

    Args:
        root: the folder of the asset, which `path` lies in at any depth; without one, the file's own folder.

    Raises:
        AssetError: it is not glTF 2.0, is cut short, or has no mesh.
    """
    data = path.read_bytes()
    is_glb = path.suffix == ".glb"
    try:
        text, binary = _chunks(data) if is_glb else (data, b"")
        document = _parsed(text, "" if is_glb else "; is this a binary glTF? Then name it .glb")
        _check(document)
        if is_glb:
            _check_binary(document, binary)
    except AssetError as error:
        raise AssetError(f"{path.name}: {error}") from error
    return GltfFile(path, document, binary, root)


def is_gltf(path: Path) -> bool:
    return path.suffix in (".gltf", ".glb")


def is_data_uri(uri: str) -> bool:
    return uri.startswith("data:")


def decode_data_uri(uri: str) -> bytes:
    """The bytes in a data URI of base64, the only kind that glTF has.

    Raises:
        AssetError: it is not base64.
    """
    try:
        return base64.b64decode(uri.partition(",")[2])
    except ValueError as error:
        raise AssetError(f"its data URI {uri[:40]!r}… is not base64 ({error}); export it again") from error


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The JSON chunk, which comes first, and the first binary chunk (empty where there is none)."""
    if len(data) < JSON_START or not data.startswith(b"glTF"):
        raise AssetError("not a GLB file (it does not start with a GLB header)")
    _, version, length = HEADER.unpack_from(data)
    if version != 2:
        raise AssetError(f"glTF version {version}; convert it to glTF 2.0")
    if length > len(data):
        raise AssetError(f"truncated, {len(data)} of {length} bytes; fetch it again")
    size, kind = CHUNK.unpack_from(data, HEADER.size)
    end = JSON_START + size
    if kind != b"JSON" or end > length:
        raise AssetError("its first chunk is not a complete JSON chunk; export it again")
    text = data[JSON_START:end]
    while end + CHUNK.size <= length:
        size, kind = CHUNK.unpack_from(data, end)
        start, end = end + CHUNK.size, end + CHUNK.size + size
        if kind == b"BIN\0":
            return text, data[start : min(end, length)]
    return text, b""


def _parsed(text: bytes, cure: str) -> Document:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AssetError(f"its JSON cannot be read ({error}){cure}") from error
    if not isinstance(document, dict):
        raise AssetError("its JSON is not a glTF document; export it again")
    return document


def _check(document: Document) -> None:
    """Refuse a document that has no mesh, or something else where the readers look for a list of objects."""
    for key in LISTS:
        entries = document.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise AssetError(f"it is not valid glTF: its {key} are not a list of objects; export it again")
        if not all(isinstance(entry.get("uri", ""), str) for entry in entries):
            raise AssetError(f"it is not valid glTF: one of its {key} has a uri that is not a string; export it again")
    if not document.get("meshes"):
        raise AssetError("it has no meshes")


def _check_binary(document: Document, binary: bytes) -> None:
    """Refuse a .glb whose first buffer is its binary chunk (section 4.4.3.3) and is not all there."""
    buffers = document.get("buffers")
    if buffers and "uri" not in buffers[0]:
        size = buffers[0].get("byteLength")
        if not isinstance(size, int) or size > len(binary):
            raise AssetError(f"its buffer has {len(binary)} of {size} bytes; fetch it again")
