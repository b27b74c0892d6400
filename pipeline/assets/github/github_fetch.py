"""Fetches one object of GitHub with the files of its repository that it names: by git where it pays, else singly."""

import logging
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.windows import Closed
from pipeline.assets.files.gather import gather
from pipeline.assets.github.git_command import GitFailed
from pipeline.assets.github.github_url import GitHubFile, Snapshot, is_on_github
from pipeline.assets.github.repositories import Repositories
from pipeline.assets.github.repository import GitTree
from pipeline.assets.github.repository_files import RawTree, RepositoryFiles, Tree
from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError, Timeout, Unreachable
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row

logger = logging.getLogger(__name__)


class GitHubFetch:
    """May be shared by threads. Everything comes from one commit of one repository."""

    def __init__(self, config: AssetsConfig, downloader: Downloader):
        self._config, self._downloader = config, downloader
        self._repositories = Repositories(config)

    def begin(self, batch: list[Row], context: StageContext) -> None:
        """Fetch by git what a batch needs of repositories with many objects in the corpus."""
        uids = [row["uid"] for row in batch]
        edges = (min(uids, default=""), max(uids, default=""))

        def planned(snapshot: Snapshot) -> int:
            """Objects of the corpus; those of a repository inside the batch's range of uids have all been seen."""
            prefix = snapshot.uid_prefix
            is_at_edge = any(uid.startswith(prefix) for uid in edges)
            is_known = is_at_edge and context.corpus.exists("index.parquet")  # not where a stage is used by itself
            return context.corpus.index().count(prefix) if is_known else 0

        self._repositories.begin(_files(batch), context.scratch, planned)

    def fetch(self, address: str, sha256: str, folder: Path) -> Fetched:
        """Bring the object at an address of GitHub into an empty folder.

        Args:
            sha256: as the dataset lists it; empty: not known.

        Raises:
            Missing: it is not there, nor is its repository.
            Modified: it is another one than was listed.
            AssetError, Unreachable, QuotaExceeded, Timeout
        """
        try:
            file = GitHubFile.parse(address)
        except ValueError as error:
            raise AssetError(f"{address}: it is {error}") from error
        try:
            return self._fetch(file, sha256, folder)
        except (AssetError, Timeout, Unreachable) as error:
            raise type(error)(f"{address}: {error}") from error

    def _fetch(self, file: GitHubFile, sha256: str, folder: Path) -> Fetched:
        repository = self._repositories.get(file.snapshot)
        if repository is None and self._repositories.may_open(file.snapshot):
            try:
                return self._gather(file, sha256, self._single_files(file, waits=False), folder)
            except Closed as closed:
                logger.info("%s: %s; git is tried instead", file.snapshot, closed)
                _empty(folder)
                repository = self._repositories.open_for(file)
        if repository:
            try:
                return self._gather(file, sha256, GitTree(repository), folder)
            except GitFailed as error:
                self._repositories.give_up(file.snapshot, error)
                _empty(folder)
        return self._gather(file, sha256, self._single_files(file, waits=True), folder)

    def _single_files(self, file: GitHubFile, waits: bool) -> RawTree:
        def similar(path: PurePosixPath) -> PurePosixPath | None:
            """What a file is called that an object names otherwise, by the list of the repository's files."""
            repository = self._repositories.listing(file.snapshot)
            if repository is None:
                return None
            try:
                return repository.place_of(path) or repository.similar(path)
            except GitFailed as error:
                self._repositories.give_up(file.snapshot, error)
                return None

        return RawTree(self._downloader, self._config.github, file.snapshot, waits, similar)

    def _gather(self, file: GitHubFile, sha256: str, tree: Tree, folder: Path) -> Fetched:
        large = RawTree(self._downloader, self._config.github_lfs, file.snapshot)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as scratch:
            files = RepositoryFiles(tree, large, Path(scratch), self._config.max_bytes)
            path = files.fetch_listed(file.spellings(), sha256)
            return gather(str(path), files, folder, self._config.max_bytes)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _files(batch: list[Row]) -> list[GitHubFile]:
    """The files on GitHub among the rows; an address that is none is told when it is fetched."""
    files = []
    for row in batch:
        if is_on_github(row["origin_uri"]):
            try:
                files.append(GitHubFile.parse(row["origin_uri"]))
            except ValueError:
                continue
    return files
