"""The files of a repository at one commit, as an asset among them sees them: links and pointers are followed."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.assets.fetch.download import Downloader
from pipeline.assets.files.bundle import sha256_of
from pipeline.assets.files.gather import AssetFiles
from pipeline.assets.github.git_forms import Pointer, fits, read_link, read_pointer
from pipeline.assets.github.github_url import Snapshot, file_url
from pipeline.base.errors import AssetError, Missing, Modified, Unreachable

MAX_REQUESTS = 1000  # for one asset
MAX_LINKS = 8  # that follow each other


class Tree(Protocol):
    """Files as a repository keeps them: links and pointers are small files."""

    def copy(self, path: PurePosixPath, target: Path, max_bytes: int) -> None:
        """Write a file to a local path.

        Raises:
            Missing: there is none.
            AssetError: it is too large, or cannot be had.
            Unreachable, Timeout: not this time.
        """

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        """The one file whose path differs by case alone, where that can be told."""


Similar = Callable[[PurePosixPath], PurePosixPath | None]


class RawTree:
    """A `Tree` of single files, from a server laid out as GitHub's raw files, which lists no folders.

    Args:
        waits: if not, `copy` raises Closed while the server takes no requests.
        similar: who knows what files there are.
    """

    def __init__(
        self, downloader: Downloader, base: str, snapshot: Snapshot, waits: bool = True, similar: Similar | None = None
    ):
        self._downloader, self._base, self._snapshot = downloader, base, snapshot
        self._waits, self._similar = waits, similar

    def copy(self, path: PurePosixPath, target: Path, max_bytes: int) -> None:
        url = file_url(self._base, self._snapshot, path)
        self._downloader.fetch(url, target, max_bytes, waits=self._waits)

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        return self._similar(path) if self._similar else None


class NoTree:
    """A `Tree` without files."""

    def copy(self, path: PurePosixPath, target: Path, max_bytes: int) -> None:
        raise Missing(f"{path}: there is no such file")

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        return None


class RepositoryFiles(AssetFiles):
    """The `AssetFiles` of one asset; its root is the repository's.

    Args:
        large: the files in Git's Large File Storage, which `tree` has pointers to.
        scratch: an empty folder for what was fetched.
        max_bytes: of all files together.
    """

    def __init__(self, tree: Tree, large: Tree, scratch: Path, max_bytes: int):
        self._tree, self._large, self._scratch = tree, large, scratch
        self._left = max_bytes
        self._requests = 0
        self._local: dict[PurePosixPath, Path | None] = {}

    def size(self, path: PurePosixPath) -> int | None:
        if path not in self._local:
            try:
                self._local[path] = self._resolve(path, "")[0]
            except Missing:
                self._local[path] = None
        local = self._local[path]
        return None if local is None else local.stat().st_size

    def copy(self, path: PurePosixPath, local: Path) -> None:
        fetched = self._local[path]
        assert fetched is not None, f"{path} has no size"
        shutil.copyfile(fetched, local)

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        return self._tree.similar(path)

    def elsewhere(self, name: str, main: PurePosixPath) -> PurePosixPath | None:
        return None  # people's repositories keep to no layout

    def fetch_listed(self, spellings: Sequence[PurePosixPath], sha256: str) -> PurePosixPath:
        """Fetch the file that a dataset lists: the first of the spellings that is there.

        Returns its path, that of a link's target for a link: what such a file names lies beside it.

        Args:
            sha256: what it had in somebody's checkout, which may be that of the file, with these or other line ends, or
                of the link or the pointer that leads to it; empty: any.

        Raises:
            Missing, Modified, AssetError, Unreachable, Timeout
        """
        first, *others = spellings
        try:
            return self._keep_listed(first, sha256)
        except Missing:
            for path in others:
                with suppress(Missing):
                    return self._keep_listed(path, sha256)
            raise

    def _keep_listed(self, path: PurePosixPath, sha256: str) -> PurePosixPath:
        file, place = self._resolve(path, sha256)
        if place.suffix.lower() != path.suffix.lower():  # a link alone says what its target is
            place = path
        self._local[place] = file
        return place

    def _resolve(self, path: PurePosixPath, sha256: str) -> tuple[Path, PurePosixPath]:
        """What a path stands for in the end: a local file, and where it lies."""
        file, is_listed = self._fetch(self._tree, path), False
        for _ in range(MAX_LINKS):
            is_listed = is_listed or not sha256 or fits(file, sha256)
            pointer = read_pointer(file)
            if pointer:
                if not is_listed and pointer.sha256 != sha256:
                    raise Modified(f"{path}: the SHA-256 of it in Git LFS is {pointer.sha256}, not {sha256}")
                return self._fetch_large(path, pointer), path
            target = read_link(file, path)
            if target is None:
                break
            try:
                file, path = self._fetch(self._tree, target), target
            except Missing as error:
                if is_listed:  # a short text that is no link
                    break
                raise Missing(f"{path}: it is a symbolic link to {target}, which is not there") from error
        else:
            raise AssetError(f"{path}: more than {MAX_LINKS} symbolic links follow each other")
        if not is_listed:
            raise Modified(f"{path}: its SHA-256 is {sha256_of(file)}, not {sha256}")
        return file, path

    def _fetch_large(self, path: PurePosixPath, pointer: Pointer) -> Path:
        if pointer.size > self._left:
            raise AssetError(f"{path}: it has {pointer.size} bytes in Git LFS; the limit is {self._left}")
        file = self._fetch(self._large, path)
        digest = sha256_of(file)
        if digest == pointer.sha256:
            return file
        if read_pointer(file):
            raise Unreachable(f"{path}: the server of Git LFS sends the pointer in place of the file")
        raise Modified(f"{path}: the SHA-256 of what Git LFS has is {digest}, that of its pointer {pointer.sha256}")

    def _fetch(self, tree: Tree, path: PurePosixPath) -> Path:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            raise AssetError(f"{path}: the asset names more than {MAX_REQUESTS} files")
        file = self._scratch / str(self._requests)
        tree.copy(path, file, self._left)
        self._left -= file.stat().st_size
        return file
