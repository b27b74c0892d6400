"""glTF files that lie, loop, reach out or break off: each a sound textured box with one thing wrong."""

import base64
import copy
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Document = dict[str, Any]
Files = dict[str, bytes]

# 8 corners of the unit box and 12 triangles, outside in
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]]
    + [[1, 5, 7], [1, 7, 3]],
    np.uint16,
)


@cache
def png(width: int = 4, height: int = 4, rows: int | None = None, bits: int = 8) -> bytes:
    """A grey PNG; with `rows` it holds fewer rows than its header says."""
    row_bytes = 1 + (width * bits + 7) // 8
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(row_bytes)) for _ in range(height if rows is None else rows))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)), (b"IDAT", body + packer.flush())]
    sealed = [
        struct.pack(">I", len(data)) + kind + data + _crc(kind + data) for kind, data in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(sealed)


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def box(positions: np.ndarray = CORNERS, indices: np.ndarray = TRIANGLES, image: bytes = b"") -> tuple[Document, bytes]:
    """The document and the binary chunk of a textured box."""
    image = image or png()
    uvs = np.tile(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), (2, 1))
    parts = [positions.astype("<f4").tobytes(), uvs.tobytes(), indices.astype("<u2").tobytes(), image]
    views, binary = [], b""
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)})
        binary += part + bytes(-len(part) % 4)
    accessor = {"bufferView": 0, "componentType": 5126, "count": len(positions), "type": "VEC3"}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "box"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "accessors": [
            {**accessor, "min": [0, 0, 0], "max": [1, 1, 1]},
            {"bufferView": 1, "componentType": 5126, "count": 8, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": int(indices.size), "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return document, binary


def glb(document: Document | bytes, binary: bytes) -> bytes:
    """A GLB file of a document (or of any bytes in its place) and a binary chunk."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf_folder(change: Callable[[Document], None]) -> Files:
    """A .gltf with its buffer and its image beside it, changed."""
    document, binary = box()
    document["buffers"][0]["uri"], document["images"] = "box.bin", [{"uri": "box.png"}]
    change(document)
    return {"box.gltf": json.dumps(document).encode(), "box.bin": binary, "box.png": png()}


def changed(path: str, value: Any) -> bytes:
    """The box's GLB with the entry at `path` (keys and indices, joined by dots) set to `value`."""
    document, binary = box()
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = document
    for key in way:
        place = place[key]
    place[last] = copy.deepcopy(value)
    return glb(document, binary)


def _chain(count: int) -> list[Document]:
    return [{"children": [index + 1]} for index in range(count - 1)] + [{"mesh": 0}]


# One entry of the document, and what stands there instead.
CHANGES: dict[str, tuple[str, Any]] = {
    "node is its own child": ("nodes.0.children", [0]),
    "nodes in a circle": ("nodes", [{"children": [1]}, {"children": [2], "mesh": 0}, {"children": [0]}]),
    "5000 nodes deep": ("nodes", _chain(5000)),
    "every node twice below the one above": (
        "nodes",
        [{"children": [i + 1, i + 1]} for i in range(26)] + [{"mesh": 0}],
    ),
    "50000 nodes": ("nodes", [{"children": list(range(1, 50001))}, *({"name": str(i)} for i in range(50000))]),
    "child that is not there": ("nodes.0.children", [99]),
    "mesh that is not there": ("nodes.0.mesh", 7),
    "negative mesh": ("nodes.0.mesh", -1),
    "scene that is not there": ("scene", 4),
    "nodes are a number": ("nodes", 3),
    "no nodes": ("nodes", []),
    "meshes are null": ("meshes", None),
    "mesh without primitives": ("meshes", [{"primitives": []}]),
    "unknown primitive mode": ("meshes.0.primitives.0.mode", 99),
    "points only": ("meshes.0.primitives.0.mode", 0),
    "lines only": ("meshes.0.primitives.0.mode", 1),
    "morph target without accessor": ("meshes.0.primitives.0.targets", [{"POSITION": 55}]),
    "accessor of two billion": ("accessors.0.count", 2**31 - 1),
    "accessor of zeros without end": ("accessors.0", {"componentType": 5126, "count": 10**12, "type": "VEC3"}),
    "accessor of minus one": ("accessors.0.count", -1),
    "accessor with half a count": ("accessors.0.count", 1.5),
    "accessor count in words": ("accessors.0.count", "eight"),
    "accessor of another type": ("accessors.0.type", "MAT4"),
    "accessor of unknown numbers": ("accessors.0.componentType", 1),
    "accessor before its buffer": ("accessors.0.byteOffset", -400),
    "accessor beyond its buffer": ("accessors.0.byteOffset", 10**9),
    "stride of one": ("bufferViews.0.byteStride", 1),
    "stride beyond the buffer": ("bufferViews.0.byteStride", 2**30),
    "view beyond its buffer": ("bufferViews.2.byteLength", 10**9),
    "view of a buffer that is not there": ("bufferViews.0.buffer", 9),
    "buffer longer than the file": ("buffers.0.byteLength", 10**9),
    "indices are vertices": ("meshes.0.primitives.0.indices", 0),
    "texture that is not there": ("materials.0.pbrMetallicRoughness.baseColorTexture.index", 3),
    "texture without image": ("textures", [{}]),
    "image that is geometry": ("images.0.bufferView", 0),
    "image of a view that is not there": ("images.0.bufferView", 12),
    "matrix of infinities": ("nodes.0.matrix", [1e999] * 16),
    "matrix of zeros": ("nodes.0.matrix", [0] * 16),
    "matrix of three": ("nodes.0.matrix", [1, 2, 3]),
    "scale of zero": ("nodes.0.scale", [0, 0, 0]),
    "scale of 1e30": ("nodes.0.scale", [1e30, 1e30, 1e30]),
    "scale of 1e-30": ("nodes.0.scale", [1e-30] * 3),
    "scale of one axis": ("nodes.0.scale", [1, 1, 1e12]),
    "far from its origin": ("nodes.0.translation", [1e9, 0, 0]),
    "skin without joints": ("nodes.0.skin", 5),
    "joint that is its own parent": ("skins", [{"joints": [0], "skeleton": 0, "inverseBindMatrices": 77}]),
    "animation of nothing": ("animations", [{"channels": [{"sampler": 9, "target": {}}], "samplers": []}]),
    "Draco without a library": ("extensionsRequired", ["KHR_draco_mesh_compression"]),
    "Basis textures": ("extensionsRequired", ["KHR_texture_basisu"]),
    "extension of nobody": ("extensionsRequired", ["VENDOR_secret"]),
    "version 9": ("asset.version", "9.0"),
    "no version": ("asset", {}),
    "image at an address": ("images.0", {"uri": "http://127.0.0.1:9/texture.png"}),
    "image above its folder": ("images.0", {"uri": "../../../../etc/hostname"}),
    "image of the system": ("images.0", {"uri": "file:///etc/passwd"}),
    "buffer of the system": ("buffers.0.uri", "/etc/passwd"),
    "buffer at an address": ("buffers.0.uri", "https://127.0.0.1:9/box.bin"),
    "name of a megabyte": ("nodes.0.name", "x" * 1_000_000),
    "name with a null": ("nodes.0.name", "a\0b/../c"),
    "name of lone surrogates": ("nodes.0.name", "\ud800\udfff\ud800"),
    "clear": ("materials", [{"alphaMode": "BLEND", "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0]}}]),
    "colour that is no number": ("materials", [{"pbrMetallicRoughness": {"baseColorFactor": [1e999, -1e999, 1, 1]}}]),
    "colour in words": ("materials", [{"pbrMetallicRoughness": {"baseColorFactor": "red"}}]),
}


def crafted_gltf() -> dict[str, Files]:
    """Files by what is wrong with them."""
    sound = glb(*box())
    cases = {what: {"box.glb": changed(*change)} for what, change in CHANGES.items()}
    nan, far, flat = CORNERS.copy(), CORNERS.copy(), np.zeros_like(CORNERS)
    nan[3], far[7] = np.nan, 1e6
    wrong = TRIANGLES.copy()
    wrong[5] = 60_000
    bombs = {
        "of 20000 pixels": png(20_000, 20_000, rows=1),
        "that decodes to 400 megapixels": png(20_000, 20_000, bits=1),
    }
    arrays = {
        "vertex that is no number": box(nan),
        "vertex far away": box(far),
        "vertices all in one place": box(flat),
        "index of a vertex that is not there": box(indices=wrong),
        "index of nothing at all": box(indices=np.full_like(TRIANGLES, 65535)),
        **{f"image {what}": box(image=data) for what, data in bombs.items()},
        "image that is text": box(image=b"no image at all"),
        "image that breaks off": box(image=png(64, 64)[:60]),
    }
    cases |= {what: {"box.glb": glb(document, binary)} for what, (document, binary) in arrays.items()}
    header = struct.Struct("<4sII")
    cases |= {
        "GLB of 4 GB by its header": {"box.glb": header.pack(b"glTF", 2, 2**32 - 1) + sound[12:]},
        "GLB of no length": {"box.glb": header.pack(b"glTF", 2, 0) + sound[12:]},
        "GLB version 1": {"box.glb": header.pack(b"glTF", 1, len(sound)) + sound[12:]},
        "chunk of 4 GB": {"box.glb": sound[:12] + struct.pack("<I", 2**32 - 4) + sound[16:]},
        "document nested 100000 deep": {"box.glb": glb(b"[" * 100_000, b"")},
        "document with a number of 100000 digits": {"box.glb": glb(b'{"meshes":' + b"9" * 100_000 + b"}", b"")},
        "document that is not UTF-8": {"box.glb": sound.replace(b'"box"', b'"\xff\xfe"')},
        "document without a binary chunk": {"box.glb": glb(box()[0], b"")},
    }
    for what, uri in {
        "above": "../box.bin",
        "percent": "%2e%2e/box.bin",
        "device": "/dev/zero",
        "gone": "no.bin",
    }.items():
        cases[f"buffer beside it: {what}"] = gltf_folder(lambda d, uri=uri: d["buffers"][0].update(uri=uri))
    data_uri = "data:application/octet-stream;base64," + base64.b64encode(b"short").decode()
    for what, uri in {"no base64": "data:;base64,@@@", "too short": data_uri, "itself": "box.gltf"}.items():
        cases[f"buffer inside: {what}"] = gltf_folder(lambda d, uri=uri: d["buffers"][0].update(uri=uri))
    cases["texture file that is not there"] = gltf_folder(lambda d: d["images"][0].update(uri="gone.png"))
    return cases
