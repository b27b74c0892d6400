"""The JSON document of a .gltf or .glb file (glTF 2.0 specification, section 4.4), read and rewritten."""

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import AssetError

HEADER = struct.Struct("<4sII")  # magic, version, length of the file
CHUNK = struct.Struct("<I4s")  # length of the data, kind
Document = dict[str, Any]


def read_document(main: Path) -> tuple[Document, bytes]:
    """The document, and the binary chunk of a .glb (empty where there is none).

    Raises:
        AssetError: it is not glTF 2.0, or is cut short.
    """
    data = main.read_bytes()
    if main.suffix == ".gltf":
        return _parse(data), b""
    chunks = _chunks(data)
    return _parse(chunks.get(b"JSON", b"")), chunks.get(b"BIN\0", b"")


def remove_animations(main: Path) -> None:
    """Rewrite the file without animations.

    Blender's importer leaves every object where its animation begins; the nodes say where it rests.
    """
    document, binary = read_document(main)
    if document.pop("animations", None):
        write_document(main, document, binary)


def buffer_bytes(document: Document, binary: bytes, folder: Path, index: int) -> bytes:
    """The content of a buffer: the binary chunk, a data URI, or a file in the asset's own `folder`.

    Raises:
        KeyError, IndexError, TypeError, ValueError, OSError: the document is not valid, or the file is not there.
    """
    uri = document["buffers"][index].get("uri")
    if uri is None:
        return binary
    if uri.startswith("data:"):
        return base64.b64decode(uri.partition(",")[2])
    path = (folder / unquote(uri)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"its buffer {uri[:100]!r} lies outside of its folder")
    return path.read_bytes()


def write_document(main: Path, document: Document, binary: bytes) -> None:
    """Replace the file by this document and, in a .glb, this binary chunk."""
    text = json.dumps(document).encode()
    if main.suffix == ".gltf":
        main.write_bytes(text)
        return
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    body = CHUNK.pack(len(text), b"JSON") + text
    if binary:
        body += CHUNK.pack(len(binary), b"BIN\0") + binary
    main.write_bytes(HEADER.pack(b"glTF", 2, HEADER.size + len(body)) + body)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The first chunk of each kind."""
    if len(data) < HEADER.size + CHUNK.size or not data.startswith(b"glTF"):
        raise AssetError("it is not a GLB file: it has no GLB header")
    _, version, length = HEADER.unpack_from(data)
    if version != 2:
        raise AssetError(f"it is a GLB file of version {version}; only version 2 is read")
    if length > len(data):
        raise AssetError(f"it is cut short: {len(data)} of {length} bytes are there")
    chunks, offset = {}, HEADER.size
    while offset + CHUNK.size <= length:
        size, kind = CHUNK.unpack_from(data, offset)
        offset += CHUNK.size
        chunks.setdefault(kind, data[offset : offset + size])
        offset += size
    return chunks


def _parse(text: bytes) -> Document:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AssetError(f"its glTF document is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AssetError("its glTF document is not a JSON object")
    return document
