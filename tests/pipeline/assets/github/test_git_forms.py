"""What a repository keeps, and what a checkout makes of it."""

import hashlib
from pathlib import PurePosixPath

import pytest

from pipeline.assets.github.git_forms import CHUNK_BYTES, Pointer, fits, read_link, read_pointer
from tests.pipeline.assets.github.git_server import lfs_pointer


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("kept", "checked_out", "expected"),
    [
        (b"v 1\nf 2\n", b"v 1\nf 2\n", True),
        (b"v 1\nf 2\n", b"v 1\r\nf 2\r\n", True),
        (b"v 1\r\nf 2\r\n", b"v 1\nf 2\n", True),
        (b"v 1\r\nf 2\nend", b"v 1\r\nf 2\r\nend", True),  # git leaves the CRLF that are there
        (b"a\rb\n", b"a\rb\r\n", True),
        (b"x" * (CHUNK_BYTES - 1) + b"\r\n\r", b"x" * (CHUNK_BYTES - 1) + b"\n\r", True),  # CR and LF in two pieces
        (b"x" * (CHUNK_BYTES - 1) + b"\n\n", b"x" * (CHUNK_BYTES - 1) + b"\r\n\r\n", True),
        (b"", b"", True),
        (b"v 1\n", b"v 2\n", False),
        (b"v 1\n", b"v 1 \n", False),
        (b"a\nb", b"a\rb", False),
    ],
)
def test_line_ends_of_a_checkout_are_no_change(tmp_path, kept, checked_out, expected):
    (tmp_path / "file").write_bytes(kept)
    assert fits(tmp_path / "file", digest(checked_out)) is expected


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_pointers_are_read(tmp_path, ends):
    (tmp_path / "file").write_bytes(lfs_pointer(b"model").replace(b"\n", ends))
    assert read_pointer(tmp_path / "file") == Pointer(digest(b"model"), 5)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v 1\n",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        lfs_pointer(b"model") + b"v 0 0 0\n",
        lfs_pointer(b"model") + b"\n" * 2000,
    ],
)
def test_what_is_no_pointer_is_none(tmp_path, text):
    (tmp_path / "file").write_bytes(text)
    assert read_pointer(tmp_path / "file") is None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (b"model.obj", "a/b/model.obj"),
        (b"../c/model.obj", "a/c/model.obj"),
        ("../modèle.obj".encode(), "a/modèle.obj"),
        (b"../../../model.obj", None),  # out of the repository
        (b"/etc/passwd", None),
        (b"link.obj", None),  # itself
        (b"two\nlines", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"x" * 5000, None),
    ],
)
def test_a_link_leads_to_a_file_of_the_repository_or_nowhere(tmp_path, text, target):
    (tmp_path / "file").write_bytes(text)
    expected = PurePosixPath(target) if target else None
    assert read_link(tmp_path / "file", PurePosixPath("a/b/link.obj")) == expected
