"""A repository at one commit: fetched by git as its folders' lists, then the files that are wanted of it."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.assets.files.gather import folded
from pipeline.assets.github.git_command import Git, GitFailed
from pipeline.assets.github.git_forms import MAX_LINK_BYTES, link_target
from pipeline.base.errors import AssetError, Missing

MAX_LINKS = 8  # that follow each other on the way to a file
MAX_SIMILAR = 100  # folders whose paths differ by case alone
TREE, LINK = "040000", "120000"
FILES = ("100644", "100755", "100664", LINK)


@dataclass(frozen=True)
class Entry:
    """A line of a folder's list."""

    mode: str
    name: str  # of the content: 40 hex digits


class Repository:
    """May be shared by threads. What it fetches is bounded in bytes and seconds by `git` and `seconds`.

    Attributes:
        problem: why it cannot be used any more; empty while it can.
    """

    def __init__(self, git: Git, address: str, commit: str, token: str, seconds: float):
        """Fetch the commit and the lists of its folders.

        Raises:
            GitFailed: the server does not have it, or does not give it within the limits.
        """
        self.problem = ""
        self._git, self._address, self._token, self._seconds = git, address, token, seconds
        self._lock = threading.RLock()
        self._folders: dict[str, dict[str, Entry]] = {}
        self._folded: dict[str, dict[str, list[str]]] = {}
        self._here: set[str] = set()
        self._sizes: dict[str, int] = {}
        git.fetch(address, [commit], time.monotonic() + seconds, token, depth=1)
        self._root = Entry(TREE, git.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip())

    def find(self, path: PurePosixPath) -> Entry | None:
        """The file at a path, links among its folders followed; None where there is none, or a submodule."""
        return self._walk(path)[1]

    def place_of(self, path: PurePosixPath) -> PurePosixPath | None:
        """Where the file at a path lies once the links among its folders are followed; None where there is none."""
        place, entry = self._walk(path)
        return place if entry else None

    def is_here(self, entry: Entry) -> bool:
        return entry.name in self._here

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        """The one file whose path differs by case alone."""
        with self._lock:
            found = [(PurePosixPath(), self._root)]
            for part in path.parts:
                found = [
                    (folder / name, self._list(tree.name)[name])
                    for folder, tree in found[:MAX_SIMILAR]
                    if tree.mode == TREE
                    for name in self._names(tree.name).get(folded(part), ())
                ]
        files = [place for place, entry in found if entry.mode in FILES]
        return files[0] if len(files) == 1 else None

    def bring(self, entries: Iterable[Entry], deadline: float | None = None) -> None:
        """Fetch the contents of files, all at once.

        Args:
            deadline: on the monotonic clock; None: as many seconds as there were for the commit.

        Raises:
            GitFailed: they did not come; nothing more is fetched by this object.
        """
        with self._lock:
            names = sorted({entry.name for entry in entries} - self._here)
            if not names:
                return
            if self.problem:
                raise GitFailed(self.problem)
            try:
                self._git.fetch(self._address, names, deadline or time.monotonic() + self._seconds, self._token)
            except GitFailed as error:
                self.problem = str(error)
                raise
            self._here.update(names)

    def copy(self, entry: Entry, target: Path, max_bytes: int) -> None:
        """Write a file's content, fetched where that has not been done.

        Raises:
            AssetError: it is larger than `max_bytes`.
            GitFailed: as `bring`.
        """
        self.bring([entry])
        size = self._size(entry)
        if size > max_bytes:
            raise AssetError(f"it has {size} bytes; the limit is {max_bytes}")
        self._git.copy_blob(entry.name, target)

    def disk_bytes(self) -> int:
        return self._git.disk_bytes()

    def _walk(self, path: PurePosixPath, links: int = MAX_LINKS) -> tuple[PurePosixPath, Entry | None]:
        """Follow a path from the root: where it leads, and what file is there.

        Raises:
            GitFailed: as `bring`, for the links among its folders.
        """
        entry, here = self._root, PurePosixPath()
        with self._lock:
            for position, part in enumerate(path.parts):
                found = self._list(entry.name).get(part) if entry.mode == TREE else None
                if found is None:
                    return path, None
                here, entry = here / part, found
                rest = path.parts[position + 1 :]
                if entry.mode == LINK and rest:
                    target = self._target(entry, here)
                    return self._walk(target.joinpath(*rest), links - 1) if target and links else (path, None)
        return here, entry if entry.mode in FILES else None

    def _target(self, link: Entry, path: PurePosixPath) -> PurePosixPath | None:
        self.bring([link])
        if self._size(link) > MAX_LINK_BYTES:
            return None
        text = self._git.run("cat-file", "blob", link.name)
        return link_target(text.decode("utf-8", "replace"), path)

    def _names(self, tree: str) -> dict[str, list[str]]:
        """A folder's names by what they are without case."""
        if tree not in self._folded:
            names: dict[str, list[str]] = defaultdict(list)
            for name in self._list(tree):
                names[folded(name)].append(name)
            self._folded[tree] = names
        return self._folded[tree]

    def _size(self, entry: Entry) -> int:
        if entry.name not in self._sizes:
            self._sizes[entry.name] = int(self._git.run("cat-file", "-s", entry.name))
        return self._sizes[entry.name]

    def _list(self, tree: str) -> dict[str, Entry]:
        """A folder's files and folders by name."""
        if tree not in self._folders:
            lines = self._git.run("ls-tree", "-z", tree).split(b"\0")[:-1]
            parsed = (line.decode("utf-8", "surrogateescape").partition("\t") for line in lines)
            described = {name: facts.split() for facts, _, name in parsed}
            self._folders[tree] = {name: Entry(facts[0], facts[2]) for name, facts in described.items()}
        return self._folders[tree]


class GitTree:
    """A `Tree` of files that git fetched."""

    def __init__(self, repository: Repository):
        self._repository = repository

    def copy(self, path: PurePosixPath, target: Path, max_bytes: int) -> None:
        entry = _found(self._repository, path)
        try:
            self._repository.copy(entry, target, max_bytes)
        except AssetError as error:
            raise AssetError(f"{path}: {error}") from error

    def similar(self, path: PurePosixPath) -> PurePosixPath | None:
        return self._repository.similar(path)


class HereTree(GitTree):
    """The same, of those that are here already. The others are taken as missing, and noted in `wanted`."""

    def __init__(self, repository: Repository, wanted: set[Entry]):
        super().__init__(repository)
        self._wanted = wanted

    def copy(self, path: PurePosixPath, target: Path, max_bytes: int) -> None:
        entry = _found(self._repository, path)
        if not self._repository.is_here(entry):
            self._wanted.add(entry)
            raise Missing(f"{path}: it is not here yet")
        super().copy(path, target, max_bytes)


def _found(repository: Repository, path: PurePosixPath) -> Entry:
    entry = repository.find(path)
    if entry is None:
        raise Missing(f"{path}: the repository has no such file")
    return entry
