"""Hostile and broken asset files, the same ones every time: for benchmarks/hostile and the tests.

A case is a folder: the name of what is wrong -> {file name: bytes}. Names are unique.
"""

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.hostile.gltf import CORNERS, TRIANGLES, Files, box, crafted_gltf, glb, png
from benchmarks.hostile.scenes import collada, crafted_scenes, usdz

SEED = 0
MAIN = (".glb", ".gltf", ".obj", ".ply", ".stl", ".fbx", ".dae", ".usdz", ".off")
FACES = "".join(f"f {a + 1}/1 {b + 1}/2 {c + 1}/3\n" for a, b, c in TRIANGLES)
VERTICES = "".join(f"v {x} {y} {z}\n" for x, y, z in CORNERS)
OBJ = f"mtllib box.mtl\n{VERTICES}vt 0 0\nvt 1 0\nvt 1 1\nusemtl paint\n{FACES}"
MTL = "newmtl paint\nKd 0.8 0.2 0.1\nmap_Kd box.png\n"
FBX_HEADER = b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", 7400)


def all_cases() -> dict[str, Files]:
    """Every crafted case."""
    cases = crafted_gltf() | crafted_scenes() | _obj() | _ply() | _stl() | _fbx() | _off() | _names()
    for ending in MAIN:
        cases[f"empty {ending}"] = {f"empty{ending}": b""}
        cases[f"noise {ending}"] = {f"noise{ending}": np.random.default_rng(SEED).bytes(5000)}
        cases[f"picture {ending}"] = {f"picture{ending}": png()}
    sound = {"glb": glb(*box()), "ply": ply(), "stl": stl(), "obj": OBJ.encode(), "dae": collada(), "usdz": usdz()}
    for kind, data in sound.items():
        more = 2 if kind == "glb" else 1
        for cut in np.linspace(1, len(data) - 1, 6 * more).astype(int):
            cases[f"{kind} cut at {cut}"] = {f"cut.{kind}": data[:cut]}
        for number, flipped in enumerate(_flipped(data, 8)):
            cases[f"{kind} flipped {number}"] = {f"flipped.{kind}": flipped}
    for number, flipped in enumerate(_flipped(sound["glb"], 8, start=len(sound["glb"]) - 300)):
        cases[f"glb's numbers flipped {number}"] = {"flipped.glb": flipped}
    for cut in (40, 200, 700, 1100):  # the length in the header fits, so that the chunks break off
        data = sound["glb"][:cut]
        cases[f"glb cut at {cut}, header mended"] = {"cut.glb": data[:8] + struct.pack("<I", cut) + data[12:]}
    return cases


def write_cases(cases: dict[str, Files], folder: Path) -> None:
    """Each case in a folder of its own below `folder`; file names may hold any bytes."""
    for number, (what, files) in enumerate(cases.items()):
        place = folder / f"{number:03d} {what.replace('/', ' ')}"
        place.mkdir(parents=True)
        for name, data in files.items():
            Path(os.fsdecode(os.path.join(os.fsencode(place), os.fsencode(name)))).write_bytes(data)  # noqa: PTH118


def ply(positions: np.ndarray = CORNERS, header: dict[str, str] | None = None) -> bytes:
    """The box as binary PLY; `header` replaces parts of the header's text."""
    text = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 8\nproperty float x\nproperty float y\n"
        "property float z\nelement face 12\nproperty list uchar int vertex_indices\nend_header\n"
    )
    for old, new in (header or {}).items():
        text = text.replace(old, new)
    faces = b"".join(struct.pack("<B3i", 3, *map(int, face)) for face in TRIANGLES)
    return text.encode() + positions.astype("<f4").tobytes() + faces


def stl(positions: np.ndarray = CORNERS, count: int = 12) -> bytes:
    """The box as binary STL that claims to have `count` facets."""
    facets = b"".join(struct.pack("<12fH", 0, 0, 0, *positions[face].ravel(), 0) for face in TRIANGLES)
    return bytes(80) + struct.pack("<I", count) + facets


def damaged(files: list[Path]) -> dict[str, Files]:
    """Two cases of each file: cut, and with bits flipped."""
    cases = {}
    for file in files:
        data = file.read_bytes()
        cases[f"cut {file.name}"] = {file.name: data[: len(data) * 2 // 3]}
        cases[f"flipped {file.name}"] = {file.name: list(_flipped(data, 9))[-1]}
    return cases


def _flipped(data: bytes, count: int, start: int = 0) -> Iterator[bytes]:
    """The same file with a few bits flipped from `start` on, more each time."""
    rng = np.random.default_rng(SEED)
    for number in range(count):
        copy = bytearray(data)
        for _ in range(1 + number):
            copy[rng.integers(start, len(data))] ^= 1 << int(rng.integers(8))
        yield bytes(copy)


def _with(place: int, value: float) -> np.ndarray:
    positions = CORNERS.copy()
    positions[place] = value
    return positions


def _obj() -> dict[str, Files]:
    texts = {
        "index beyond the vertices": OBJ + "f 900 901 902\n",
        "index zero": OBJ + "f 0 0 0\n",
        "index before the vertices": OBJ + "f -900 -901 -902\n",
        "index of 30 digits": OBJ + f"f 1 2 {'9' * 30}\n",
        "vertex that is no number": OBJ.replace("v 1 1 1", "v nan inf 1").replace("v 1.0 1.0 1.0", "v nan inf 1"),
        "vertex of 1e308": OBJ + "v 1e308 -1e308 1e999\nf 1 2 9\n",
        "vertex in words": OBJ + "v one two three\nf 1 2 9\n",
        "face of 20000 corners": VERTICES + "f " + " ".join(str(1 + i % 8) for i in range(20_000)) + "\n",
        "line of 3 megabytes": OBJ + "# " + "x" * 3_000_000,
        "library that names itself": OBJ.replace("box.mtl", "box.obj"),
        "library at an address": OBJ.replace("box.mtl", "http://127.0.0.1:9/box.mtl"),
        "library above its folder": OBJ.replace("box.mtl", "../../box.mtl"),
        "library that is a device": OBJ.replace("box.mtl", "/dev/zero"),
        "points only": VERTICES,
        "all in one place": "v 1 1 1\n" * 8 + FACES.replace("/1", "").replace("/2", "").replace("/3", ""),
        "lines only": VERTICES + "l 1 2 3 4\n",
        "null bytes": OBJ.replace("usemtl", "use\0mtl"),
    }
    cases = {
        f"obj {what}": {"box.obj": text.encode(), "box.mtl": MTL.encode(), "box.png": png()}
        for what, text in texts.items()
    }
    cases["obj in UTF-16"] = {"box.obj": OBJ.encode("utf-16")}
    pictures = {
        "of 20000 pixels": png(20_000, 20_000, rows=1),
        "that decodes to 400 megapixels": png(20_000, 20_000, bits=1),
        "that breaks off": png(64, 64)[:60],
        "that is text": b"no picture",
        "that is empty": b"",
    }
    for what, picture in pictures.items():
        cases[f"obj texture {what}"] = {"box.obj": OBJ.encode(), "box.mtl": MTL.encode(), "box.png": picture}
    for what, name in {"above its folder": "../../box.png", "at an address": "http://127.0.0.1:9/box.png"}.items():
        cases[f"obj texture {what}"] = {"box.obj": OBJ.encode(), "box.mtl": MTL.replace("box.png", name).encode()}
    clear = MTL.replace("map_Kd box.png", "d 0")
    cases["obj clear"] = {"box.obj": OBJ.encode(), "box.mtl": clear.encode()}
    return cases


def _ply() -> dict[str, Files]:
    headers = {
        "a trillion vertices": {"vertex 8": f"vertex {10**12}"},
        "a trillion faces": {"face 12": f"face {10**12}"},
        "minus one vertices": {"vertex 8": "vertex -1"},
        "no count": {"vertex 8": "vertex"},
        "more vertices than there are": {"vertex 8": "vertex 80"},
        "unknown format": {"binary_little_endian": "ternary"},
        "big-endian by its header": {"little": "big"},
        "unknown property": {"property float x": "property complex x"},
        "faces of one corner": {"uchar int": "char char"},
        "no coordinates": {"property float z\n": ""},
        "header without end": {"end_header\n": ""},
    }
    cases = {f"ply {what}": {"box.ply": ply(header=change)} for what, change in headers.items()}
    numbers = {"vertex that is no number": _with(3, np.nan), "infinite vertex": _with(3, np.inf), "flat": CORNERS * 0}
    return cases | {f"ply {what}": {"box.ply": ply(positions)} for what, positions in numbers.items()}


def _stl() -> dict[str, Files]:
    text = "solid box\nfacet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex nan 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    files = {
        "four billion facets": stl(count=2**32 - 1),
        "fewer facets than there are": stl(count=1),
        "no facets": stl(count=0),
        "vertex that is no number": stl(_with(3, np.nan)),
        "infinite vertex": stl(_with(3, np.inf)),
        "no extent": stl(CORNERS * 0),
        "vertex far away": stl(_with(7, 1e9)),
        "text without end": text.encode(),
        "text without numbers": text.replace("0 1 0", "a b c").encode(),
    }
    return {f"stl {what}": {"box.stl": data} for what, data in files.items()}


def _fbx() -> dict[str, Files]:
    node = struct.Struct("<IIIB")  # end, properties, bytes of properties, length of the name
    files = {
        "header only": FBX_HEADER,
        "version of the far future": FBX_HEADER[:-4] + struct.pack("<I", 999_999),
        "node that ends before it begins": FBX_HEADER + node.pack(1, 0, 0, 1) + b"a" + bytes(200),
        "node of 4 GB": FBX_HEADER + node.pack(2**32 - 1, 2**31, 2**31, 255) + bytes(200),
        "text": b"; FBX 7.3.0 project file\nObjects: {\n}\n",
    }
    return {f"fbx {what}": {"box.fbx": data} for what, data in files.items()}


def _off() -> dict[str, Files]:
    corners, face = "0 0 0\n1 0 0\n0 1 0\n", "3 0 1 2\n"
    files = {
        "sound": f"OFF3 1 0\n{corners}{face}",
        "a trillion faces": f"OFF\n3 1000000000000 0\n{corners}{face}",
        "count of 5000 digits": f"OFF\n{'9' * 5000} 1 0\n{corners}{face}",
        "cut short": f"OFF\n3 2 0\n{corners}{face}# and no more, however many bytes",
        "face of a million corners": f"OFF\n3 1 0\n{corners}1000000 0 1 2\n",
        "vertex that is not there": f"OFF\n3 1 0\n{corners}3 0 1 3\n",
        "vertex before the first": f"OFF\n3 1 0\n{corners}3 0 1 -1\n",
        "vertex that is no number": f"OFF\n3 1 0\n{corners.replace('1', 'nan')}{face}",
        "vertex of 1e308": f"OFF\n3 1 0\n{corners.replace('1', '1e308')}{face}",
        "vertex that is a path": f"OFF\n3 1 0\n{corners.replace('1', '../x')}{face}",
        "lines only": f"OFF\n3 1 0\n{corners}2 0 1\n",
        "comments without end": "OFF\n" + "# \n" * 100_000,
        "null bytes": f"OFF\n3 1 0\n{corners}{face}".replace(" ", "\0"),
    }
    return {f"off {what}": {"box.off": text.encode()} for what, text in files.items()}


def _names() -> dict[str, Files]:
    """Sound boxes under file names that are hard to keep."""
    sound = glb(*box())
    names = {
        "bytes that are no text": os.fsdecode(b"\xff\xfebox.glb"),
        "line feed": "a\nb.glb",
        "230 letters": "x" * 230 + ".glb",
        "markup": "<b>&amp;'\"$(id).glb",
        "right to left": "\u202egnp.glb",
    }
    return {f"file name: {what}": {name: sound} for what, name in names.items()}


def library() -> bytes:
    """A Sweet Home 3D library whose zip file lies: one sound piece and hostile ones."""
    bomb = b"v 0 0 0\n" * 8_000_000  # 64 MB that take 100 KB
    members = {"sound/box.obj": OBJ.encode(), "bomb/box.obj": bomb, "lie/box.obj": OBJ.encode() + bytes(5000)}
    members |= {f"{name}/box.obj": OBJ.encode() for name in ("locked", "damaged", "unknown")}
    pieces = [*members, "../box.obj", "/etc/passwd", "gone/box.obj", ""]
    lines = [f"id#{i}={i}\nname#{i}=piece {i}\nmodel#{i}=/{name}\n" for i, name in enumerate(pieces, 1)]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PluginFurnitureCatalog.properties", "".join(lines))
        for name, data in members.items():
            archive.writestr(name, data)
    data = bytearray(file.getvalue())
    # Offsets in a record of the central directory (APPNOTE 4.3.12): flags 8, method 10, CRC 16, unpacked size 24.
    for name, offset, value in (
        ("lie", 24, struct.pack("<I", 10)),
        ("locked", 8, struct.pack("<H", 1)),
        ("damaged", 16, b"\0\0\0\0"),
        ("unknown", 10, struct.pack("<H", 77)),
    ):
        record = data.rindex(f"{name}/box.obj".encode()) - 46
        data[record + offset : record + offset + len(value)] = value
    return bytes(data)
