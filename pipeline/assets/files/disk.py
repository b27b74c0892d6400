"""A folder on a local disk that assets lie in."""

import errno
import os
import shutil
from pathlib import Path, PurePosixPath

from pipeline.assets.files.gather import AssetFiles, folded
from pipeline.assets.files.places import in_known_places
from pipeline.base.errors import AssetError

# No file can have such a name, or none is there: a part of it is a file, a link that leads to itself, too long, …
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
MAX_SPELLINGS = 100  # of one path's folders, which a hostile tree may hold in any number


class DiskFolder(AssetFiles):
    """The files below `root`, on a local disk. Links that lead out of it are not followed.

    In a snapshot of the hub's cache (`NAME/snapshots/REVISION`) they may lead to `NAME/blobs`, as all files there do.
    """

    def __init__(self, root: Path):
        self.root = Path(os.path.realpath(root))
        self._inside = [self.root]
        self._inside += [
            folder.parents[1] / "blobs"
            for folder in (self.root, *self.root.parents)
            if folder.parent.name == "snapshots" and (folder.parents[1] / "blobs").is_dir()
        ]
        self._names: dict[PurePosixPath, dict[str, list[str]]] = {}  # of a folder's entries, by their folded names

    def size(self, path: PurePosixPath) -> int | None:
        file = self.root / path
        try:
            if not file.is_file():
                return None
            if not self._holds(file):
                raise AssetError(f"{path}: it is a symbolic link that leaves {self.root.name}/")
            return file.stat().st_size
        except OSError as error:
            if error.errno in NO_FILE:
                return None
            raise AssetError(f"{path}: it cannot be read ({error.strerror})") from error

    def copy(self, path: PurePosixPath, local: Path) -> None:
        try:
            source = (self.root / path).open("rb")
        except OSError as error:
            raise AssetError(f"{path}: it cannot be read ({error.strerror})") from error
        with source, local.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        found = [PurePosixPath()]
        for part in path.parts:
            found = [place / name for place in found for name in self._spellings(place, part)]
            if len(found) > MAX_SPELLINGS:
                return None
        return found[0] if len(found) == 1 else None

    def elsewhere(self, name: str, main: PurePosixPath) -> PurePosixPath | None:
        return in_known_places(self, name, main)

    def _spellings(self, folder: PurePosixPath, name: str) -> list[str]:
        """The entries of a folder that are called `name` but for the case, or exactly so if there is one."""
        if os.path.lexists(self.root / folder / name):
            return [name]  # a folder of many entries need not be listed
        if folder not in self._names:
            self._names[folder] = self._listed(folder)
        return self._names[folder].get(folded(name), [])

    def _listed(self, folder: PurePosixPath) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        try:
            entries = list((self.root / folder).iterdir()) if self._holds(self.root / folder) else []
        except OSError:
            entries = []  # no folder, or one that may not be read
        for entry in entries:
            names.setdefault(folded(entry.name), []).append(entry.name)
        return names

    def _holds(self, file: Path) -> bool:
        real = Path(os.path.realpath(file))
        return any(real.is_relative_to(folder) for folder in self._inside)
