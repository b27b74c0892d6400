"""The files of a table, one for each shard: 00042.parquet. From shard 100,000 on they have more digits."""

import re

_NAME = re.compile(r"([0-9]{5}|[1-9][0-9]{5,})\.parquet")


def shard_file(shard: int) -> str:
    """The name of a shard's file."""
    return f"{shard:05d}.parquet"


def shard_of(name: str) -> int | None:
    """The shard whose file has this name; None if it is not the name of one."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None
