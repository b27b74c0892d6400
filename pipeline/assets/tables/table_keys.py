"""Keys of objects in tables of others: how their columns are called, what they look like, and their hash."""

import re

COLUMNS = frozenset({"uid", "sha256", "file_identifier", "fileidentifier"})  # in small letters
_KEY = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{64}|(?=\D*\d)[0-9A-Za-z]{20,64}|https?://\S+")

_FILE = "(?:.*/)?([0-9A-Za-z]{20,64})[.][0-9A-Za-z]+"
# What an object of the index may be called in a table, in SQL, the best first: of a file on a disk its name, too, since
# copies of Objaverse are files named by uid or SHA-256.
OWN_KEYS = (
    "uid",
    "sha256",
    "origin_uri",
    f"CASE WHEN NOT contains(origin_uri, '://') THEN regexp_extract(origin_uri, '^{_FILE}$', 1) END",
)
_SKETCHFAB = "https://sketchfab[.]com/3d-models/(?:[^/?#]*-)?([0-9A-Za-z]+)"


def is_key(column: str) -> bool:
    """Whether a column of this name holds keys."""
    return column.strip().casefold() in COLUMNS


def looks_like_key(cell: str) -> bool:
    """Whether a text is a uid of Objaverse, a SHA-256 or an address, and hardly a column's name."""
    return _KEY.fullmatch(cell.strip()) is not None


def hash_of(key: str) -> str:
    """The SQL of a key's hash (64 bits), without space around it: of a SHA-256 in any case, of the uid that an address
    of Sketchfab ends in. It lasts for this process."""
    bare = f"trim(coalesce({key}, ''))"
    cases = (
        f"WHEN regexp_full_match({bare}, '[0-9A-Fa-f]{{64}}') THEN lower({bare})",
        f"WHEN regexp_full_match({bare}, '{_SKETCHFAB}') THEN regexp_extract({bare}, '{_SKETCHFAB}', 1)",
    )
    return f"hash(CASE {' '.join(cases)} ELSE {bare} END)"
