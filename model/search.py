"""Text to 3D: `python -m model.search CORPUS "a red armchair" --run default` prints the nearest objects of a corpus."""

import sys
from dataclasses import dataclass

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model.encode import corpus_splats
from model.splat_encoder import load_encoder
from pipeline.base.errors import ConfigError, PipelineError
from pipeline.base.exit_code import exit_code
from pipeline.store.corpus_store import CorpusStore


@dataclass(frozen=True)
class Arguments:
    """Find objects of a corpus by a sentence."""

    corpus: tyro.conf.Positional[str]
    """Folder or bucket URI."""
    text: tyro.conf.Positional[str]
    """What to look for."""
    run: str = "default"
    """Name of a run of this corpus, or the folder of another corpus's run."""
    embeddings: str = ""
    """Parquet file written by model.encode for this corpus and run; without it, the corpus is embedded now."""
    top: int = 10
    """How many objects to show."""


def search(arguments: Arguments) -> list[tuple[str, float]]:
    """uid and cosine of the nearest objects, best first.

    Raises:
        ConfigError: no such corpus, run or embeddings, or embeddings of another encoder.
    """
    corpus = CorpusStore(arguments.corpus)
    folder = arguments.run if "/" in arguments.run else f"{corpus.uri.rstrip('/')}/runs/{arguments.run}"
    encoder = load_encoder(folder)
    if arguments.embeddings:
        uids, vectors = _read_embeddings(arguments.embeddings, encoder.encoder)
    else:
        objects = list(corpus_splats(corpus))
        uids, vectors = [uid for uid, _ in objects], encoder.encode([splat for _, splat in objects])
    from caption.encoders import load_encoder_by_id

    cosines = vectors @ load_encoder_by_id(encoder.encoder).encode_texts([arguments.text])[0]
    return [(uids[i], float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[: arguments.top]]


def _read_embeddings(path: str, encoder: str) -> tuple[list[str], np.ndarray]:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["uid", "encoder", "embedding"])
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read embeddings {path}: {error}") from error
    others = set(table["encoder"].to_pylist()) - {encoder}
    if others:
        raise ConfigError(f"{path} holds vectors of {', '.join(sorted(others))}, the run was trained with {encoder}")
    return table["uid"].to_pylist(), np.array(table["embedding"].to_pylist(), np.float32)


def _names(corpus: CorpusStore, uids: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for shard in corpus.shards("assets"):
        rows = corpus.read_rows("assets", shard, columns=["uid", "name"])
        names |= {row["uid"]: row["name"] for row in rows if row["uid"] in uids}
    return names


def main(arguments: Arguments) -> None:
    """Print the result as a table."""
    found = search(arguments)
    names = _names(CorpusStore(arguments.corpus), {uid for uid, _ in found})
    table = Table("cosine", "uid", "name")
    for uid, cosine in found:
        table.add_row(f"{cosine:.3f}", escape(uid), escape(names.get(uid, "")))
    Console().print(table)


def _command() -> int:
    try:
        main(tyro.cli(Arguments))
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(_command))
