"""The JSON document of a .gltf or .glb file: read, checked, and written back (glTF 2.0 specification, section 4.4)."""

import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import AssetError

HEADER = struct.Struct("<4sII")  # magic, version, length of the whole file
CHUNK = struct.Struct("<I4s")  # length of the chunk's data, type
WHITE_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
Document = dict[str, Any]


def read_document(path: Path) -> Document:
    """The document of a glTF 2.0 file.

    Raises:
        AssetError: it is not glTF 2.0, is cut short, or has no mesh.
    """
    data = path.read_bytes()
    is_glb = path.suffix == ".glb"
    text, binary = _glb_chunks(path, data) if is_glb else (data, b"")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        cure = "" if is_glb else "; is this a binary glTF? Then name it .glb"
        raise AssetError(f"{path.name}: its JSON cannot be read ({error}){cure}") from error
    if not isinstance(document, dict) or not _is_list_of_dicts(document, "meshes", "buffers", "images", "textures"):
        raise AssetError(f"{path.name}: its JSON is not a glTF document")
    if not document.get("meshes"):
        raise AssetError(f"{path.name}: it has no meshes")
    if is_glb and document.get("buffers") and "uri" not in document["buffers"][0]:
        size = document["buffers"][0].get("byteLength")
        if not isinstance(size, int) or size > len(binary):
            raise AssetError(f"{path.name}: its buffer should have {size} bytes, {len(binary)} are there")
    return document


def named_buffers(document: Document) -> list[str]:
    """Files that the geometry needs, as paths (percent-decoded); data URIs are not files."""
    return _uris(document, "buffers")


def named_images(document: Document) -> list[str]:
    """Image files that the document names, as paths (percent-decoded); data URIs are not files."""
    return _uris(document, "images")


def without_images(document: Document, names: set[str]) -> Document:
    """The document with every use of the images called `names` taken out of its materials.

    The images' own entries stay, as a white pixel that nothing uses, so that no index shifts.
    """
    document = json.loads(json.dumps(document))
    gone_images = set()
    for index, image in enumerate(document.get("images", ())):
        if unquote(str(image.get("uri", ""))) in names:
            gone_images.add(index)
            image["uri"] = WHITE_PIXEL
    textures = enumerate(document.get("textures", ()))
    gone_textures = {index for index, texture in textures if gone_images & _image_indices(texture)}
    return {**document, "materials": _without_textures(document.get("materials", []), gone_textures)}


def write_document(path: Path, document: Document) -> None:
    """Replace the document of the file at `path`; a .glb keeps its other chunks."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    if path.suffix == ".gltf":
        path.write_bytes(text)
        return
    data = path.read_bytes()
    old_length, _ = CHUNK.unpack_from(data, HEADER.size)
    rest = data[HEADER.size + CHUNK.size + old_length : HEADER.unpack_from(data)[2]]
    text += b" " * (-len(text) % 4)
    length = HEADER.size + CHUNK.size + len(text) + len(rest)
    path.write_bytes(HEADER.pack(b"glTF", 2, length) + CHUNK.pack(len(text), b"JSON") + text + rest)


def _glb_chunks(path: Path, data: bytes) -> tuple[bytes, bytes]:
    """The JSON chunk and the binary chunk (empty where there is none)."""
    if len(data) < HEADER.size + CHUNK.size or not data.startswith(b"glTF"):
        raise AssetError(f"{path.name}: not a GLB file (it does not start with a GLB header)")
    _, version, length = HEADER.unpack_from(data)
    if version != 2:
        raise AssetError(f"{path.name}: glTF version {version}; convert it to glTF 2.0")
    if length > len(data):
        raise AssetError(f"{path.name}: cut short, {len(data)} of {length} bytes are there; fetch it again")
    json_length, kind = CHUNK.unpack_from(data, HEADER.size)
    start = HEADER.size + CHUNK.size
    if kind != b"JSON" or start + json_length > length:
        raise AssetError(f"{path.name}: its first chunk is not a whole JSON chunk")
    text, rest = data[start : start + json_length], data[start + json_length : length]
    if len(rest) < CHUNK.size:
        return text, b""
    binary_length, _ = CHUNK.unpack_from(rest)
    return text, rest[CHUNK.size : CHUNK.size + binary_length]


def _is_list_of_dicts(document: Document, *keys: str) -> bool:
    lists = [document.get(key, []) for key in keys]
    return all(isinstance(items, list) and all(isinstance(item, dict) for item in items) for items in lists)


def _uris(document: Document, key: str) -> list[str]:
    uris = [str(entry["uri"]) for entry in document.get(key, ()) if "uri" in entry]
    return [unquote(uri) for uri in uris if not uri.startswith("data:")]


def _image_indices(texture: Document) -> set[int]:
    """Images that a texture may show: its own, and those of extensions (WebP, Basis Universal)."""
    entries = (texture, *texture.get("extensions", {}).values())
    return {entry["source"] for entry in entries if "source" in entry}


def _without_textures(node: Any, gone: set[int]) -> Any:
    """A copy of a part of the document without the texture references that point into `gone`."""
    if isinstance(node, list):
        return [_without_textures(item, gone) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_textures(value, gone)
        for key, value in node.items()
        if not (key.endswith("Texture") and isinstance(value, dict) and value.get("index") in gone)
    }
