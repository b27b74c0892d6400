"""The draw of `assets.limit`: the objects whose uids have the smallest hashes. No more than these are held."""

import hashlib
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

_HASH = "hash"
_FRESH_ROWS = 10_000  # that may be held beyond the limit


def hash_of(text: str) -> bytes:
    """32 bytes that depend on the text alone."""
    return hashlib.sha256(text.encode()).digest()


def drawn(tables: Iterable[pa.Table], limit: int) -> Iterator[pa.Table]:
    """The rows, in their order, of the `limit` uids with the smallest hashes: a larger limit keeps them all.

    Rows that share a uid are drawn together.
    """
    kept: list[pa.Table] = []
    bound: bytes | None = None
    fresh = 0
    for table in tables:
        hashes = pa.array([hash_of(uid) for uid in table.column("uid").to_pylist()], pa.binary())
        table = table.append_column(_HASH, hashes)
        kept.append(table if bound is None else table.filter(pc.less_equal(hashes, bound)))
        fresh += kept[-1].num_rows
        if fresh > max(limit // 4, _FRESH_ROWS):
            kept, bound = _smallest(kept, limit)
            fresh = 0
    if kept:
        kept, _ = _smallest(kept, limit)
    for table in kept:
        yield table.drop_columns([_HASH])


def _smallest(parts: list[pa.Table], limit: int) -> tuple[list[pa.Table], bytes | None]:
    """The rows with the `limit` smallest hashes, and the largest of these; None while there are no more than that."""
    table = pa.concat_tables(parts)
    hashes = pc.unique(table.column(_HASH))
    if len(hashes) <= limit:
        return parts, None
    bound: bytes = hashes.take(pc.array_sort_indices(hashes).slice(limit - 1, 1))[0].as_py()
    return [table.filter(pc.less_equal(table.column(_HASH), bound)).combine_chunks()], bound
