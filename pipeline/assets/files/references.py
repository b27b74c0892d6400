"""Which files an asset file refers to, and how to remove those references.

Only relative paths are ever followed, and only inside the source. What an asset names but does not bring is cut out of
it, so that a loader neither looks for it elsewhere on the machine nor paints the surface in its colour for "missing".
"""

import mmap
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, unescape

from pipeline.assets.files.fbx_names import as_long_as, image_names, remove_names, replace_names
from pipeline.assets.files.gltf_images import names_of_colors, remove_images
from pipeline.base.errors import AssetError
from pipeline.values.gltf import is_gltf, read_gltf

# A texture statement of an MTL file: options, then the file's name. These take up to this many numbers, any other
# takes one word.
_TEXTURE = re.compile(r"[ \t]*(map_\w+|bump|disp|decal|refl|norm)[ \t]+(\S.*?)\s*$", re.IGNORECASE)
_COLORLESS = {"bump", "disp", "refl", "norm"} | {
    f"map_{what}" for what in ("bump", "disp", "kn", "ks", "norm", "ns", "pm", "pr", "ps", "refl")
}
_NUMBERS = {"-mm": 2, "-o": 3, "-s": 3, "-t": 3}
_NUMBER = re.compile(r"[-+.\d][-+.\deE]*$")
_LIBRARY = re.compile(r"[ \t]*mtllib[ \t]+(\S.*?)\s*$")
_LIBRARY_LINE = re.compile(rb"^[ \t]*mtllib[ \t][^\n]*", re.MULTILINE)
_DAE_IMAGE = re.compile(rb"(<init_from[^>]*>)([^<]*)(</init_from>)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class NamedFiles:
    """Paths as a file names them: `needed` ones, without which it means nothing, and `optional` ones (appearance).

    `colorless` are those of the latter that surely give no colour: bumps, gloss and the like.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    colorless: frozenset[str] = frozenset()


def named_files(path: Path) -> NamedFiles:
    """The files that `path` (OBJ, MTL, glTF, FBX, Collada; no other format names any) refers to."""
    readers = {".obj": _obj_files, ".mtl": _mtl_files, ".gltf": _gltf_files, ".glb": _gltf_files}
    readers |= {".fbx": _fbx_files, ".dae": _dae_files}
    reader = readers.get(path.suffix.lower())
    return reader(path) if reader else NamedFiles()


def inside(reference: str, base: PurePosixPath, file: str) -> PurePosixPath | None:
    """Where `reference`, named by `file` in the folder `base` below the source's root, leads to below that root.

    None where it is an absolute path, a leftover of its author's disk, or empty: it is never followed.

    Raises:
        AssetError: it is a network address, leads out of the root, or is nothing that a file can be called.
    """
    path = reference.replace("\\", "/")
    if _SCHEME.match(path):
        raise AssetError(f"{file}: it refers to the URL {reference[:200]!r}; only files of the source are read")
    if path.startswith("/") or _DRIVE.match(path):
        return None
    parts = list(base.parts)
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                raise AssetError(f"{file}: it refers to {reference[:200]!r}, which is outside the source's folder")
            parts.pop()
        elif not part.isprintable() or len(part.encode("utf-8", "replace")) > 255:
            raise AssetError(f"{file}: it refers to {reference[:80]!r}, which is not a file name")
        else:
            parts.append(part)
    return PurePosixPath(*parts) if parts else None


def file_name(reference: str) -> str:
    """The last part of `reference`, if a file can be called so; nothing for an address.

    Raises:
        AssetError: nothing can be called so.
    """
    path = reference.replace("\\", "/")
    if _SCHEME.match(path):
        return ""
    return str(inside(path.rpartition("/")[2], PurePosixPath(), path[:200]) or "")


def can_redirect(path: PurePosixPath, reference: str, place: str) -> bool:
    """Whether the file at `path` can name `place` instead of `reference`."""
    return path.suffix.lower() != ".fbx" or as_long_as(place, reference) is not None


def redirect(path: Path, places: Mapping[str, str]) -> None:
    """Rewrite `path` so that it names other files than before: `places` has the new names by the old ones."""
    if not places:
        return
    if is_gltf(path):
        file = read_gltf(path)
        for image in file.document.get("images", []):
            place = places.get(unquote(image.get("uri", "")))
            if place is not None:
                image["uri"] = quote(place)
        file.write()
    elif path.suffix == ".fbx":
        replace_names(path, {old: as_long_as(place, old) or old for old, place in places.items()})
    elif path.suffix == ".dae":
        path.write_bytes(_DAE_IMAGE.sub(lambda found: _with_dae_image(found, places), path.read_bytes()))
    else:
        names_in = _obj_names if path.suffix == ".obj" else _mtl_names
        lines = (_redirected(line, names_in, places) for line in path.read_bytes().splitlines(keepends=True))
        path.write_bytes(b"".join(lines))


def cut(path: Path, references: set[str]) -> None:
    """Rewrite `path` so that it no longer names `references`, optional ones that `named_files` gave."""
    if is_gltf(path):
        file = read_gltf(path)
        remove_images(file.document, references)
        file.write()
    elif path.suffix == ".fbx":
        remove_names(path, references)
    elif path.suffix == ".dae":
        path.write_bytes(_DAE_IMAGE.sub(lambda found: _without_dae_image(found, references), path.read_bytes()))
    else:
        _drop_lines(path, _obj_names if path.suffix == ".obj" else _mtl_names, references)


def add_library(path: Path, library: str) -> None:
    """Let the OBJ file name a material library, in its first line."""
    with_it = path.with_name(f"{path.name}.new")
    with path.open("rb") as old, with_it.open("wb") as new:
        new.write(f"mtllib {library}\n".encode())
        shutil.copyfileobj(old, new)
    with_it.replace(path)


def _obj_files(path: Path) -> NamedFiles:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        lines = [_text(match.group()) for match in _LIBRARY_LINE.finditer(data)]
    return _optional(name for line in lines for name in _obj_names(line))


def _mtl_files(path: Path) -> NamedFiles:
    named: dict[str, bool] = {}  # whether it gives no colour, whoever names it
    for line in map(_text, path.read_bytes().splitlines()):
        for name in _mtl_names(line):
            keyword = line.split(maxsplit=1)[0].lower()
            named[name] = named.get(name, True) and keyword in _COLORLESS
    return NamedFiles(optional=_optional(named).optional, colorless=frozenset(name for name in named if named[name]))


def _gltf_files(path: Path) -> NamedFiles:
    file = read_gltf(path)
    images = _optional(file.named("images")).optional
    return NamedFiles(
        tuple(dict.fromkeys(file.named("buffers"))), images, frozenset(images) - names_of_colors(file.document)
    )


def _fbx_files(path: Path) -> NamedFiles:
    return _optional(image_names(path))


def _dae_files(path: Path) -> NamedFiles:
    """Images of a Collada file. Inside of effects the same element names an image's id, which looks like no file."""
    names = [_dae_name(found[2]) for found in _DAE_IMAGE.finditer(path.read_bytes())]
    return _optional(name for name in names if PurePosixPath(name).suffix or "/" in name)


def _dae_name(text: bytes) -> str:
    """Paths of the author's own disk are written as file:///C:/…; what remains is absolute."""
    return unquote(unescape(_text(text)).strip()).removeprefix("file://")


def _without_dae_image(found: re.Match[bytes], references: set[str]) -> bytes:
    return found[1] + b"missing" + found[3] if _dae_name(found[2]) in references else found[0]


def _with_dae_image(found: re.Match[bytes], places: Mapping[str, str]) -> bytes:
    place = places.get(_dae_name(found[2]))
    return found[0] if place is None else found[1] + escape(quote(place)).encode() + found[3]


def _redirected(line: bytes, names_in: Callable[[str], list[str]], places: Mapping[str, str]) -> bytes:
    """A line of an OBJ or MTL file whose last words are a name."""
    for name in names_in(_text(line)):
        if name in places:
            text = _text(line)
            before, _, after = (text if name in text else " ".join(text.split())).rpartition(name)
            return f"{before}{places[name]}{after.rstrip()}\n".encode()
    return line


def _optional(names: Iterable[str]) -> NamedFiles:
    return NamedFiles(optional=tuple(dict.fromkeys(name for name in names if name)))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _obj_names(line: str) -> list[str]:
    """The material library that a line of an OBJ file names: all that follows, as Blender reads it."""
    match = _LIBRARY.match(line)
    return [match[1]] if match else []


def _mtl_names(line: str) -> list[str]:
    """The texture that a line of an MTL file names, after its options; its name may hold spaces."""
    match = _TEXTURE.match(line)
    if not match:
        return []
    words = re.split(r"[ \t]+", match[2])
    while len(words) > 1 and words[0].startswith("-"):
        option = words.pop(0).lower()
        if option not in _NUMBERS:
            words = words[1:] or words
        for _ in range(_NUMBERS.get(option, 0)):
            if len(words) > 1 and _NUMBER.match(words[0]):
                words.pop(0)
    return [" ".join(words).strip().strip('"')]


def _drop_lines(path: Path, names_in: Callable[[str], list[str]], references: set[str]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if references.isdisjoint(names_in(_text(line)))))
