"""Brings an asset's main file and the files that it names into one local folder."""

from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.assets.checks import check_file
from pipeline.assets.references import cut, inside, named_files
from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError

MAX_FILES = 1000


class AssetFiles(Protocol):
    """The folder that an asset lies in, wherever that is (disk, zip, …). Paths are relative to it, without `..`."""

    def size(self, path: PurePosixPath) -> int | None:
        """Bytes of a file before it is copied; None if there is no such file."""

    def copy(self, path: PurePosixPath, local: Path) -> None:
        """Copy a file to a local path; never more bytes than `size` said."""


def gather(main: str, files: AssetFiles, folder: Path, max_bytes: int) -> Fetched:
    """Fill the empty local `folder` with the file `main` and all that it names, itself or through its MTL files.

    Files that are named but missing are listed in `missing_textures` and cut out of the file that names them.
    `max_bytes` is the limit for all files together.

    Raises:
        AssetError: the main file or a buffer is missing or broken, a name leads out of the asset's folder or to the
            network, or the files are too large or too many.
    """
    source = inside(main, PurePosixPath(), main)
    if source is None or files.size(source) is None:
        raise AssetError(f"{main}: there is no such file")
    local_main = folder / source.with_suffix(source.suffix.lower())
    local = {source: local_main}
    missing: list[str] = []
    total = 0
    todo = [source]
    while todo:
        path = todo.pop(0)
        total += files.size(path) or 0
        if total > max_bytes:
            raise AssetError(f"{path}: with it the asset has {total} bytes; the limit is {max_bytes}")
        local[path].parent.mkdir(parents=True, exist_ok=True)
        files.copy(path, local[path])
        if path == source:
            check_file(local_main)
        elif path.suffix.lower() != ".mtl":
            continue  # an image or a buffer
        found, absent = _follow(local[path], path, files)
        if absent:
            cut(local[path], absent)
            missing += sorted(absent)
        for file in found:
            if file not in local:
                local[file] = folder / file
                todo.append(file)
        if len(local) > MAX_FILES:
            raise AssetError(f"{path}: the asset refers to more than {MAX_FILES} files")
    side_files = tuple(path for path in local.values() if path != local_main)
    return Fetched(local_main, side_files, tuple(dict.fromkeys(missing)))


def _follow(local: Path, path: PurePosixPath, files: AssetFiles) -> tuple[list[PurePosixPath], set[str]]:
    """Of the files that a file names: where those are that exist, and the names of those that do not."""
    named = named_files(local)
    found, absent = [], set()
    for reference in (*named.needed, *named.optional):
        target = inside(reference, path.parent, path.name)
        if target is not None and files.size(target) is not None:
            found.append(target)
        elif reference in named.needed:
            raise AssetError(f"{path.name}: the file {reference!r}, which it needs, is missing")
        else:
            absent.add(reference)
    return found, absent
