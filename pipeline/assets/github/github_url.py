"""Files on GitHub as Objaverse-XL names them: https://github.com/OWNER/REPOSITORY/blob/COMMIT/PATH."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

_ADDRESS = re.compile(
    r"https://github\.com/([A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.)[A-Za-z0-9._-]{1,100})"
    r"/blob/([0-9a-f]{40})/(.+)",
    re.DOTALL,
)
MAX_PATH = 4096  # characters; no disk takes more


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit."""

    repository: str  # OWNER/NAME
    commit: str  # 40 hex digits

    def __str__(self) -> str:
        return f"{self.repository}/{self.commit}"

    @property
    def uid_prefix(self) -> str:
        """What the uids of its objects begin with: in the order of uids, those of one repository lie together."""
        return f"github-{hashlib.sha256(str(self).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class GitHubFile:
    """One file of a snapshot. `path` is as it is in the repository: a `%20` in it is three characters of a name."""

    snapshot: Snapshot
    path: str

    @classmethod
    def parse(cls, address: str) -> "GitHubFile":
        """The file that an address names.

        Raises:
            ValueError: the address is not of GitHub's form, or its path cannot be one in a repository.
        """
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError("not of the form https://github.com/OWNER/REPOSITORY/blob/COMMIT/PATH")
        repository, commit, path = match.groups()
        if not _is_path(path):
            raise ValueError("its path cannot be one in a repository")
        return cls(Snapshot(repository, commit), path)

    @property
    def uid(self) -> str:
        return self.snapshot.uid_prefix + hashlib.sha256(self.path.encode()).hexdigest()[:16]

    def spellings(self) -> list[PurePosixPath]:
        """Its path, and how an address that had been percent-encoded already would read."""
        return [PurePosixPath(path) for path in dict.fromkeys((self.path, unquote(self.path))) if _is_path(path)]


def _is_path(path: str) -> bool:
    """Whether a file of a repository can lie there: nothing outside, nothing that no disk would take."""
    parts_are_names = not any(part in ("", ".", "..") or len(part) > 255 for part in path.split("/"))
    return parts_are_names and path.isprintable() and len(path) <= MAX_PATH


def is_on_github(address: str) -> bool:
    return address.startswith("https://github.com/")


def file_url(base: str, snapshot: Snapshot, path: PurePosixPath) -> str:
    """Where a server laid out as GitHub's raw files has a file."""
    return f"{base.rstrip('/')}/{snapshot}/{quote(str(path))}"
