"""Finding objects by words: the encoder that embedded the corpus embeds the words too."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.base.errors import ConfigError
from pipeline.reading.triplets import Triplets
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row

COLUMNS = ["uid", "encoder", "image_embeddings"]


@dataclass(frozen=True, order=True)
class Found:
    """One object and how near its views are to the words: the cosine of the text and the mean view."""

    similarity: float
    uid: str


def search_corpus(corpus: CorpusStore, text: str, count: int) -> list[Found]:
    """The `count` objects whose views fit `text` best, the best first.

    Raises:
        ConfigError: nothing is embedded, two encoders were used, or the encoder cannot be loaded here.
    """
    from caption.encoders import load_encoder_by_id  # heavy

    query, used = None, ""
    found: list[Found] = []
    for row in _embedded(corpus):
        if query is None:
            used = row["encoder"]
            query = load_encoder_by_id(used).encode_texts([text])[0]
        elif row["encoder"] != used:
            raise ConfigError(
                f"object {row['uid']} was embedded by {row['encoder']}, others by {used}: run --stage embed --force"
            )
        view = row["image_embeddings"].mean(axis=0)
        similarity = float(view @ query / max(np.linalg.norm(view), 1e-12))
        found = heapq.nlargest(count, [*found, Found(similarity, row["uid"])])
    if query is None:
        raise ConfigError(f"{corpus.uri} holds no embeddings to search: run --stage embed")
    return found


def _embedded(corpus: CorpusStore) -> Iterator[Row]:
    """uid, encoder and image_embeddings of every object; also from a copy of the triplets."""
    shards = corpus.shards("embeddings")
    if not shards:
        yield from Triplets(corpus).rows(COLUMNS)
    for shard in shards:
        yield from corpus.read_rows("embeddings", shard, COLUMNS)
