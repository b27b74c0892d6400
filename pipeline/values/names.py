"""Names that come out of tables and become paths: a corpus may be a stranger's, and its tables may say anything."""

import hashlib
import re

MAX_UID_BYTES = 200  # a file system takes 255, and endings follow
_SAFE_UID = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_ASSET_FILE = re.compile(r"assets/files/([0-9a-f]{2})/\1[0-9a-f]{62}\.[a-z0-9]{1,8}")


def is_safe_uid(uid: str) -> bool:
    """Whether files may be named after the uid: no separators, no control characters, no leading dot, not too long."""
    return _SAFE_UID.fullmatch(uid) is not None and len(uid.encode()) <= MAX_UID_BYTES


def file_stem(uid: str) -> str:
    """What files of an object are named after, without an ending: its uid, or the hash of one that names no file."""
    if is_safe_uid(uid):
        return uid
    return hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_asset_file(path: str) -> bool:
    """Whether a path inside the corpus is one that the assets stage gives: assets/files/XX/SHA256.SUFFIX."""
    return _ASSET_FILE.fullmatch(path) is not None
