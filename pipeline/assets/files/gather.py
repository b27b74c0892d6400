"""Brings an asset's main file and the files that it names into one local folder."""

import errno
import logging
import posixpath
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.assets.files.checks import check_file
from pipeline.assets.files.references import add_library, can_redirect, cut, file_name, inside, named_files, redirect
from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError

logger = logging.getLogger(__name__)

MAX_FILES = 1000  # that are there
MAX_NAMES = 10_000  # of files, there or not
MISSING = "there is no such file"
MAX_SHOWN = 255  # letters of a missing file's name that are kept
# A file cannot be put where its name says, since another is in its way, or since the name is too long here
MISPLACED = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


class AssetFiles(Protocol):
    """The files that an asset lies among, wherever that is (a disk, a zip, a commit of a repository, …).

    Paths are relative to their root, without `..`; nothing outside of it is asked for.
    """

    def size(self, path: PurePosixPath) -> int | None:
        """Bytes of a file before it is copied; None if there is no such file.

        Raises:
            AssetError: it is there and cannot be had.
        """

    def copy(self, path: PurePosixPath, local: Path) -> None:
        """Copy a file to a local path; never more bytes than `size` said.

        Raises:
            AssetError: it cannot be had.
        """

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        """The one file whose path differs from `path` by case alone; None where there is none, or more than one."""
        return None

    def elsewhere(self, name: str, main: PurePosixPath) -> PurePosixPath | None:
        """The one file called `name` where files of the asset may lie that it names wrongly (see `places`).

        None where there is none, or it is not known.
        """
        return None


def gather(main: str, files: AssetFiles, folder: Path, max_bytes: int) -> Fetched:
    """Fill the empty local `folder` with the file `main` and all that it names, itself or through its MTL files.

    They keep their places relative to each other. A name that leads out of the files' root, is absolute or an address
    is never followed. Optional files (textures, material libraries) that are not there, or cannot be had, are listed
    in `missing_textures` and cut out of the file that names them. Where no file has a name as it is written, one that
    differs by case alone stands in for it, else one of the same name in a place that is known for it. An OBJ file that
    names no library which is there gets the one that has its own name, if that lies beside it.

    Args:
        main: path below the root of `files`.
        max_bytes: limit for all files together.

    Raises:
        AssetError: the main file, or one that its geometry needs, is missing or broken, or the files are too large or
            too many.
    """
    path = PurePosixPath(main)
    if path.is_absolute() or ".." in path.parts or files.size(path) is None:
        raise AssetError(f"{main}: there is no such file")
    gathering = _Gathering(path, files, folder, max_bytes)
    gathering.follow(path)
    if gathering.main.suffix == ".obj" and not gathering.side_files:
        gathering.use_library_of_the_same_name()
    missing = gathering.missing
    return Fetched(
        gathering.main, tuple(gathering.side_files), tuple(missing), tuple(name for name in missing if missing[name])
    )


class _Gathering:
    """One asset on its way into a local folder. A path is where a file lies, or is named, below the files' root."""

    def __init__(self, main: PurePosixPath, files: AssetFiles, folder: Path, max_bytes: int):
        self._main, self._files, self._folder, self._max_bytes = main, files, folder, max_bytes
        self.main = folder / main.with_suffix(main.suffix.lower())
        self.missing: dict[str, bool] = {}  # by name: whether it would have given colours
        self._placed: dict[PurePosixPath, Path] = {}  # by the paths that names lead to, the main file first
        self._bytes = self._names = 0
        reason = self._copy(main, main)
        if reason:
            raise AssetError(reason)
        check_file(self.main)

    @property
    def side_files(self) -> list[Path]:
        return list(self._placed.values())[1:]

    def follow(self, path: PurePosixPath) -> None:
        """Bring what the file at `path` names, itself or through MTL files."""
        todo = [path]
        while todo:
            before = len(self._placed)
            self._bring_all(todo.pop(0))
            todo += [new for new in list(self._placed)[before:] if new.suffix.lower() == ".mtl"]

    def use_library_of_the_same_name(self) -> None:
        """For an OBJ file that names no library, or missing ones alone: who renames one file may forget the other."""
        library = self._main.with_suffix(".mtl")
        if not library.name.isprintable() or self._place(library):
            return
        instead = f" instead of {', '.join(self.missing)}" if self.missing else ""
        logger.info("%s: its materials are taken from %s, which lies beside it%s", self._main, library.name, instead)
        self.missing.clear()
        add_library(self.main, library.name)
        self.follow(library)

    def _bring_all(self, path: PurePosixPath) -> None:
        """Bring what this one file names, and cut out of it what is not to be had."""
        named = named_files(self._placed[path])
        for reference in named.needed:
            reason = self._bring(reference, path)
            if reason:
                raise AssetError(reason)
        absent = [reference for reference in named.optional if self._bring(reference, path)]
        moved = {reference: self._bring_from_elsewhere(reference, path) for reference in absent}
        redirect(self._placed[path], {reference: place for reference, place in moved.items() if place})
        gone = {reference for reference, place in moved.items() if place is None}
        if gone:
            cut(self._placed[path], gone)
            for reference in sorted(gone):
                name = _shown(reference)
                self.missing[name] = self.missing.get(name, False) or reference not in named.colorless

    def _bring(self, reference: str, path: PurePosixPath) -> str:
        """Place the file that the one at `path` names; returns why that cannot be, or nothing."""
        self._names += 1
        if self._names > MAX_NAMES:
            raise AssetError(f"{path}: the asset refers to more than {MAX_NAMES} files")
        try:
            target = inside(reference, path.parent, path.name)
        except AssetError as error:
            return str(error)
        reason = MISSING if target is None else self._place(target)
        if reason == MISSING:
            return f"{path.name}: the file {reference[:MAX_SHOWN]!r}, which it needs, is missing"
        return reason

    def _bring_from_elsewhere(self, reference: str, path: PurePosixPath) -> str | None:
        """Place a file of the same name for one that is not where the file at `path` says.

        Returns how that should name it; nothing if its name leads there now; None if no such file is known.
        """
        try:
            name = file_name(reference)
            source = self._files.elsewhere(name, self._main) if name else None
        except AssetError:
            source = None
        if source is None:
            return None
        try:
            target = inside(reference, path.parent, path.name)
        except AssetError:
            target = None
        place = "" if target is not None else posixpath.relpath(source, path.parent)
        if place and not can_redirect(path, reference, place):
            return None
        target = target or source
        if target not in self._placed and self._copy(target, source):
            return None
        logger.info("%s: %s is taken from %s", self._main, _shown(reference), source)
        return place

    def _place(self, path: PurePosixPath) -> str:
        """Bring the file at `path`, or the one whose path differs by case alone; returns why not, or nothing."""
        if path in self._placed:
            return ""
        try:
            source = path if self._files.size(path) is not None else self._files.similar(path)
        except AssetError as error:
            return str(error)
        return MISSING if source is None else self._copy(path, source)

    def _copy(self, path: PurePosixPath, source: PurePosixPath) -> str:
        """Bring the file at `source` to where names lead to `path`; returns why it cannot be had, or nothing.

        Raises:
            AssetError: it is one file, or some bytes, too many.
        """
        local = self.main if path == self._main else self._folder / path
        if self._placed and local == self.main:
            return f"{path}: the main file has this name"
        try:
            size = self._files.size(source)
        except AssetError as error:
            return str(error)
        if size is None:
            return MISSING
        self._bytes += size
        if self._bytes > self._max_bytes:
            raise AssetError(f"{path}: with it the asset has {self._bytes} bytes; the limit is {self._max_bytes}")
        if len(self._placed) == MAX_FILES:
            raise AssetError(f"{path}: the asset refers to more than {MAX_FILES} files")
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            self._files.copy(source, local)
        except AssetError as error:
            return str(error)
        except OSError as error:
            if error.errno not in MISPLACED:
                raise
            return f"{path}: it cannot be placed ({error.strerror})"
        self._placed[path] = local
        return ""


def folded(name: str) -> str:
    """Equal for names that differ by case alone, or by how an accent is written."""
    return unicodedata.normalize("NFC", name).casefold()


def _shown(reference: str) -> str:
    """A name as it can be kept in a table: a line of text, not too long."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in reference[:MAX_SHOWN])
