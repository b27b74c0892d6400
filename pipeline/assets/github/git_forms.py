"""How a file that a repository keeps differs from what a checkout of it shows.

Objaverse-XL's checksums are of files in somebody's checkout. What a server sends is what the repository keeps: the file
itself, the text of a symbolic link, or a pointer to Git's Large File Storage; with line ends as they were committed.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.assets.files.bundle import sha256_of

CHUNK_BYTES = 1 << 20
MAX_LINK_BYTES = 4096
MAX_POINTER_BYTES = 1024  # the specification's limit
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\r?\n"
    rb"(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\r?\nsize (\d{1,15})\r?\n?"
)


@dataclass(frozen=True)
class Pointer:
    """What Git's Large File Storage keeps a file under."""

    sha256: str
    size: int  # bytes


def read_pointer(file: Path) -> Pointer | None:
    """The pointer that `file` is; None for any other file."""
    text = _short(file, MAX_POINTER_BYTES)
    match = _POINTER.fullmatch(text) if text else None
    return Pointer(match[1].decode(), int(match[2])) if match else None


def read_link(file: Path, path: PurePosixPath) -> PurePosixPath | None:
    """Where `file`, which lies at `path` of its repository, leads if it is the text of a symbolic link.

    A short text of one line without an end may be one; whether it is shows in there being a file at that place. None if
    it cannot be a link to a file of the same repository.
    """
    text = _short(file, MAX_LINK_BYTES)
    try:
        target = text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return link_target(target, path)


def link_target(target: str, path: PurePosixPath) -> PurePosixPath | None:
    """Where a link at `path` with the text `target` leads, within the repository; None if it does not."""
    if not target or not target.isprintable() or target.startswith("/"):
        return None
    parts: list[str] = []
    for part in (path.parent / target).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    found = PurePosixPath(*parts)
    return found if parts and found != path else None


def fits(file: Path, sha256: str) -> bool:
    """Whether `file`, or what a checkout with other line ends makes of it, has this SHA-256.

    `eol=crlf` writes CRLF for each lone LF of a text; the reverse holds for a checkout that was committed so.
    """
    if sha256_of(file) == sha256:
        return True
    unix, windows = hashlib.sha256(), hashlib.sha256()
    held = b""  # the CR at the end of a piece, of which the next one decides
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            piece = held + piece
            held = b"\r" if piece.endswith(b"\r") else b""
            text = piece.removesuffix(held).replace(b"\r\n", b"\n")
            unix.update(text)
            windows.update(text.replace(b"\n", b"\r\n"))
    unix.update(held)
    windows.update(held)
    return sha256 in (unix.hexdigest(), windows.hexdigest())


def _short(file: Path, limit: int) -> bytes:
    """The content of a file of up to `limit` bytes; empty for a larger one."""
    return file.read_bytes() if file.stat().st_size <= limit else b""
