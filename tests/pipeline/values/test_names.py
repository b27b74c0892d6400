"""What may become a path."""

import pytest

from pipeline.values.names import MAX_UID_BYTES, file_stem, is_asset_file, is_safe_uid

SAFE = ["a", "kiDgUIcaC7c4YaIcLCJeq4kS7rK", "oak chair-1a2b", "椅子", "a..b", "x" * MAX_UID_BYTES]
UNSAFE = [
    "x" * 201,
    "椅" * 67,
    "",
    ".",
    "..",
    ".hidden",
    "../../pwned",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\x1b[2Jb",
    "a\x9bb",
    "\udc80",
    "椅" * 67,
]


@pytest.mark.parametrize("uid", SAFE)
def test_safe_uids_name_their_files(uid):
    assert is_safe_uid(uid) and file_stem(uid) == uid


@pytest.mark.parametrize("uid", UNSAFE)
def test_files_of_other_uids_are_named_after_a_hash(uid):
    assert not is_safe_uid(uid)
    assert is_safe_uid(file_stem(uid)) and file_stem(uid) != file_stem(uid + "x")


@pytest.mark.parametrize("path", ["assets/files/ac/{}.glb", "../assets/files/ab/{}.glb", "assets/files/ab/{}.glb\n"])
def test_asset_files(path):
    digest = "ab" * 32
    assert is_asset_file(f"assets/files/ab/{digest}.glb")
    assert not is_asset_file(path.format(digest))
