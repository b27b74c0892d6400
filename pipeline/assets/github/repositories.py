"""Which repositories a worker fetches by git instead of file by file, and holds while it is at their objects."""

import itertools
import logging
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.tokens import token_for
from pipeline.assets.files.gather import gather
from pipeline.assets.github.git_command import Git, GitFailed, check_git_address, is_installed
from pipeline.assets.github.github_url import GitHubFile, Snapshot
from pipeline.assets.github.repository import Entry, HereTree, Repository
from pipeline.assets.github.repository_files import NoTree, RepositoryFiles
from pipeline.base.errors import AssetError

logger = logging.getLogger(__name__)

_GONE = re.compile(r"not found|could not read Username|returned error: (?:401|404|410|451)")
MAX_BYTES = 2_000_000_000  # of all repositories that a worker holds at once
ROUNDS = 5  # of fetches: models, their material libraries, the textures of these; links take one more


class Repositories:
    """The repositories of one worker; may be shared by threads.

    Objects of one repository lie together in a corpus (`Snapshot.uid_prefix`), so a worker that holds those of its
    batch has most of what it needs next; workers need not wait for each other to share one, and nothing outlives them.
    """

    def __init__(self, config: AssetsConfig):
        check_git_address(config.github_git)
        self._config = config
        self._lock = threading.Lock()
        self._held: dict[Snapshot, tuple[Repository, Path]] = {}
        self._by_git: set[Snapshot] = set()  # of those held, whose contents come by git, too
        self._refused: set[Snapshot] = set()
        self._scratch: Path | None = None
        self._numbers = itertools.count()
        self._is_possible = config.repository_objects > 0 and not _has_mirror_of_files_alone(config) and is_installed()
        if config.repository_objects and not is_installed():
            logger.warning("git is not installed: objects of one repository are fetched one by one")

    def begin(self, files: Sequence[GitHubFile], scratch: Path, planned: Callable[[Snapshot], int]) -> None:
        """Get what a batch needs of the repositories with many objects, and let go of all others.

        Args:
            planned: how many objects of a snapshot the corpus has.
        """
        self._scratch = scratch
        batch: dict[Snapshot, list[GitHubFile]] = defaultdict(list)
        for file in files:
            batch[file.snapshot].append(file)
        for snapshot, (held, folder) in list(self._held.items()):
            if snapshot not in batch or snapshot in self._refused or held.disk_bytes() > MAX_BYTES // 2:
                del self._held[snapshot]
                self._by_git.discard(snapshot)
                shutil.rmtree(folder, ignore_errors=True)
        for snapshot, its_files in batch.items():
            if self.may_open(snapshot):
                most = self._config.repository_objects
                if snapshot in self._by_git or len(its_files) > most or planned(snapshot) > most:
                    self._fetch(snapshot, its_files)

    def get(self, snapshot: Snapshot) -> Repository | None:
        """The repository, if it is fetched by git."""
        is_usable = snapshot in self._by_git and snapshot not in self._refused
        return self._held[snapshot][0] if is_usable else None

    def may_open(self, snapshot: Snapshot) -> bool:
        """Whether git may be asked for a repository."""
        return self._is_possible and self._scratch is not None and snapshot not in self._refused

    def open_for(self, file: GitHubFile) -> Repository | None:
        """The repository of one object, with what this needs; None if git cannot have it, which the log says."""
        self._fetch(file.snapshot, [file])
        return self.get(file.snapshot)

    def listing(self, snapshot: Snapshot) -> Repository | None:
        """The repository for its list of files; None if git cannot have it, which the log says."""
        return self._open(snapshot)

    def _fetch(self, snapshot: Snapshot, files: Sequence[GitHubFile]) -> None:
        """Take a repository's files by git from now on, these at once."""
        repository = self._open(snapshot)
        if repository:
            self._by_git.add(snapshot)
            self._bring(snapshot, repository, files)

    def _open(self, snapshot: Snapshot) -> Repository | None:
        """The repository, fetched if it is not held; None if git cannot have it, which the log says."""
        with self._lock:
            if self._scratch is None or not self.may_open(snapshot):
                return None
            if snapshot in self._held:
                return self._held[snapshot][0]
            folder = self._scratch / "repositories" / str(next(self._numbers))
            address = f"{self._config.github_git.rstrip('/')}/{snapshot.repository}"
            room = MAX_BYTES - sum(repository.disk_bytes() for repository, _ in self._held.values())
            try:
                git = Git(folder, room, self._config.read_timeout_s)
                token = token_for(address, self._config)
                repository = Repository(git, address, snapshot.commit, token, self._config.timeout_s)
            except GitFailed as error:
                shutil.rmtree(folder, ignore_errors=True)
                self._refuse(snapshot, error)
                return None
            self._held[snapshot] = (repository, folder)
            return repository

    def give_up(self, snapshot: Snapshot, error: GitFailed) -> None:
        """Take the files of a repository one by one from now on. What is held of it stays for those who read it."""
        with self._lock:
            self._refuse(snapshot, error)

    def _bring(self, snapshot: Snapshot, repository: Repository, files: Sequence[GitHubFile]) -> None:
        """Fetch all that these objects need, all at once: the models first, then what they name, and so on."""
        deadline = time.monotonic() + self._config.timeout_s
        try:
            for _ in range(ROUNDS):
                wanted: set[Entry] = set()
                files = [file for file in files if self._lacks(file, repository, wanted)]
                if not wanted:
                    return
                repository.bring(wanted, deadline)
        except GitFailed as error:
            self.give_up(snapshot, error)

    def _lacks(self, file: GitHubFile, repository: Repository, wanted: set[Entry]) -> bool:
        """Add to `wanted` what an object needs and is not here; whether there was anything."""
        lacking: set[Entry] = set()
        for path in file.spellings():
            with tempfile.TemporaryDirectory(dir=self._scratch, prefix="rehearsal-") as scratch:
                fetched, gathered = Path(scratch, "fetched"), Path(scratch, "gathered")
                fetched.mkdir()
                gathered.mkdir()
                tree = HereTree(repository, lacking)
                among = RepositoryFiles(tree, NoTree(), fetched, self._config.max_bytes)
                with suppress(AssetError):  # what is wrong with the object is told when it is fetched
                    gather(str(path), among, gathered, self._config.max_bytes)
        wanted |= lacking
        return bool(lacking)

    def _refuse(self, snapshot: Snapshot, error: GitFailed) -> None:
        if snapshot not in self._refused:
            self._refused.add(snapshot)
            # That a repository is gone, the ledger tells of each of its objects.
            level = logging.INFO if _GONE.search(str(error)) else logging.WARNING
            logger.log(level, "%s: git cannot fetch it (%s); its files are fetched one by one", snapshot, error)


def _has_mirror_of_files_alone(config: AssetsConfig) -> bool:
    """Whether the settings send requests for single files elsewhere, and say nothing of repositories: GitHub itself is
    not asked behind the back of a mirror."""
    usual = AssetsConfig()
    return config.github != usual.github and config.github_git == usual.github_git
