"""Cheap checks of an asset's main file before anything heavy opens it: is it what its name says, whole, non-empty?"""

import mmap
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pipeline.base.errors import AssetError
from pipeline.values.asset_formats import USD_LAYERS
from pipeline.values.gltf import read_gltf
from pipeline.values.off import read_header

_VERTEX = re.compile(rb"^[ \t]*v[ \t]", re.MULTILINE)
_FACE = re.compile(rb"^[ \t]*f[ \t]", re.MULTILINE)
_PLY_COUNT = re.compile(rb"^element[ \t]+(vertex|face)[ \t]+(\d+)", re.MULTILINE)
PLY_HEADER_BYTES = 65536
HEAD_BYTES = 1024  # by which a file is recognised that is no asset at all
STL_HEADER_BYTES, STL_FACET_BYTES = 84, 50  # binary STL: 80 bytes, a count, then facets of 12 floats and 2 bytes


def check_file(path: Path) -> None:
    """Refuse a main file that cannot be an asset.

    Raises:
        AssetError: unknown format, empty, truncated, not what its suffix says, or without faces.
    """
    file_format = path.suffix.removeprefix(".")
    if file_format not in CHECKS:
        raise AssetError(f"{path.name}: {why_not_read(file_format)}")
    if path.stat().st_size == 0:
        raise AssetError(f"{path.name}: the file is empty")
    with path.open("rb") as file:
        instead = what_it_is_instead(file.read(HEAD_BYTES))
    if instead:
        raise AssetError(f"{path.name}: it is {instead}, not a file of the format '{file_format}'")
    CHECKS[file_format](path)


def what_it_is_instead(head: bytes) -> str:
    """What servers and checkouts often have in a model's place, by the first `HEAD_BYTES`; empty: none of these."""
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer (the content lies in Large File Storage)"
    if head.startswith(b"\x1f\x8b\x08"):
        return "a gzip file"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")) or (text.startswith((b"<?xml", b"<!--")) and b"<html" in text):
        return "a web page"
    return ""


def why_not_read(file_format: str) -> str:
    """The reason, and the cure, for a format that is not one of `CHECKS`."""
    if file_format == "blend":
        return ".blend files can contain scripts, which Blender would run; export it to GLB"
    return f"format '{file_format}' is not supported; convert it to one of {', '.join(CHECKS)}"


def _check_gltf(path: Path) -> None:
    read_gltf(path)


def _check_obj(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for what, pattern in (("vertices", _VERTEX), ("faces", _FACE)):
            if not pattern.search(data):
                raise AssetError(f"{path.name}: it has no {what} (or is not an OBJ file)")


def _check_ply(path: Path) -> None:
    with path.open("rb") as file:
        header, end, _ = file.read(PLY_HEADER_BYTES).partition(b"end_header")
    if not header.startswith(b"ply") or not end:
        raise AssetError(f"{path.name}: not a PLY file (no header from 'ply' to 'end_header')")
    counts = {name: int(count) for name, count in _PLY_COUNT.findall(header)}
    for what, name in (("vertices", b"vertex"), ("faces", b"face")):
        if not counts.get(name):
            raise AssetError(f"{path.name}: it has no {what}; point clouds are not rendered")
    size = path.stat().st_size
    if sum(counts.values()) > size:  # a byte each is the least; a reader would make room for all of them first
        raise AssetError(f"{path.name}: {sum(counts.values())} vertices and faces do not fit in its {size} bytes")


def _check_stl(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(STL_HEADER_BYTES)
        is_text = header.lstrip().startswith(b"solid") and b"facet" in header + file.read(1024)
    size = path.stat().st_size
    facets = struct.unpack_from("<I", header, 80)[0] if len(header) == STL_HEADER_BYTES else 0
    expected = STL_HEADER_BYTES + STL_FACET_BYTES * facets
    if not is_text and (facets == 0 or size < expected):
        raise AssetError(f"{path.name}: truncated STL file ({facets} facets take {expected} bytes, it has {size})")


def _check_fbx(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(18) != b"Kaydara FBX Binary":
            raise AssetError(f"{path.name}: not a binary FBX file; text FBX is not supported, convert it to GLB")


def _check_dae(path: Path) -> None:
    text = path.read_bytes().replace(b"\0", b"")  # whatever the width of its letters
    if b"<COLLADA" not in text[:4096]:
        raise AssetError(f"{path.name}: not a Collada file")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise AssetError(f"{path.name}: it defines XML entities, which are not allowed; export it again")
    if b"</COLLADA>" not in text[-256:]:
        raise AssetError(f"{path.name}: truncated (its last element is not closed); fetch it again")
    if b"<mesh" not in text:
        raise AssetError(f"{path.name}: it has no meshes")


def _check_usdz(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise AssetError(f"{path.name}: truncated or damaged USDZ file ({error})") from error
    # The first file is the stage (USDZ specification, "Layout"); compressed members are against it, and may be bombs.
    if not members or PurePosixPath(members[0].filename).suffix not in USD_LAYERS:
        raise AssetError(f"{path.name}: its first member is not a USD file")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise AssetError(f"{path.name}: its members are compressed, which USDZ does not allow")


def _check_off(path: Path) -> None:
    read_header(path)


# the check of each of `ASSET_FORMATS`
CHECKS: dict[str, Callable[[Path], None]] = {
    "glb": _check_gltf,
    "gltf": _check_gltf,
    "obj": _check_obj,
    "ply": _check_ply,
    "stl": _check_stl,
    "fbx": _check_fbx,
    "dae": _check_dae,
    "usdz": _check_usdz,
    "off": _check_off,
}
