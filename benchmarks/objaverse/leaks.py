"""Looks for secrets where none may be: in a corpus, in what was printed, in requests to other hosts."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OWN_SITES = {"hub": "HF_TOKEN", "raw": "GITHUB_TOKEN", "lfs": "GITHUB_TOKEN", "git": "GITHUB_TOKEN", "cdn": ""}


@dataclass(frozen=True)
class Search:
    found: int  # secrets where none may be
    arrived: int  # requests that brought a token to its own host


def search(tokens: dict[str, str], folders: Sequence[Path], log: Path) -> Search:
    """Every file below `folders`, and the servers' log of requests.

    Args:
        tokens: secrets by the name of their environment variable.
    """
    secrets = [*tokens.values(), "X-Amz-Signature="]
    found = sum(_count(text, secrets) for folder in folders for text in _texts(folder))
    arrived = 0
    for line in log.read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        for name, token in tokens.items():
            if _carries(request["authorization"], token):
                own = OWN_SITES[request["site"]] == name
                arrived += own
                found += not own
    return Search(found, arrived)


def _carries(authorization: str, token: str) -> bool:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        value = base64.b64decode(value, validate=False).decode("latin-1")
    return token in value


def _count(text: str, secrets: Iterable[str]) -> int:
    return sum(text.count(secret) for secret in secrets)


def _texts(folder: Path) -> Iterable[str]:
    """The files as they are, and of Parquet files what is inside of them."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        yield file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            yield from (_column_text(column) for column in table.columns)


def _column_text(column: pa.ChunkedArray) -> str:
    return json.dumps(column.to_pylist(), default=str)
