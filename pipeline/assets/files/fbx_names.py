"""Names of images in a binary FBX file, and how they are replaced: in place, since nothing in the file may shift."""

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath

# A path in the file: a node's name after its length, then the node's first property: type S, length, text
_PATH = re.compile(rb"(?:\x10RelativeFilename|\x08File[nN]ame)S(....)", re.DOTALL)
_EMBEDDED = re.compile(rb"ContentR(?!\0\0\0\0)")


def image_names(path: Path) -> list[str]:
    """The images that the file names and does not hold, each once, as the importer looks for it."""
    data = path.read_bytes()
    if _EMBEDDED.search(data):
        return []  # the images travel inside the file
    names = dict.fromkeys(_decoded(data[start:end]) for start, end in _places(data))
    # Each image is named twice, by its author's absolute path and by a relative one.
    paths = {name: PureWindowsPath(name) for name in names}  # reads both kinds of slashes
    relative = {path.name for path in paths.values() if not path.anchor}
    return [name for name, path in paths.items() if not path.anchor or path.name not in relative]


def as_long_as(name: str, old: str) -> str | None:
    """A way to write the path `name` in as many bytes as `old` takes; None if there is none."""
    room = len(old.encode()) - len(name.encode())
    if room < 0:
        return None
    if room % 2 == 0:
        return "./" * (room // 2) + name
    if "/" in name:
        return "./" * (room // 2) + name.replace("/", "//", 1)
    return None if room == 1 else ".//" + "./" * (room // 2 - 1) + name


def replace_names(path: Path, names: Mapping[str, str]) -> None:
    """Write other names, of as many bytes, for some that the file has."""
    data = bytearray(path.read_bytes())
    for start, end in list(_places(bytes(data))):
        new = names.get(_decoded(bytes(data[start:end])))
        if new is not None:
            data[start:end] = new.encode().rjust(end - start, b"_")[: end - start]
    path.write_bytes(data)


def remove_names(path: Path, names: set[str]) -> None:
    """Write numbers, which are names of no files, for some names that the file has."""
    replace_names(path, {name: str(number) for number, name in enumerate(sorted(names))})


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the paths stand."""
    for match in _PATH.finditer(data):
        end = match.end() + struct.unpack("<I", match[1])[0]
        if end <= len(data):
            yield match.end(), end


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
