"""The captions that fit their views worst, and how well captions find their objects.

`python -m caption.audit CORPUS` prints both; the report shows them with pictures. A caption's score is the mean cosine
of its vector and its views' vectors, as the embed stage stored them; it can be no better than the encoder.
"""

import argparse
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from caption.retrieval import caption_recall, object_vectors
from pipeline.base.errors import ConfigError
from pipeline.base.exit_code import exit_code
from pipeline.store.corpus_store import CorpusStore

CAPTION_COLUMNS = ["uid", "caption", "caption_source"]
EMBEDDING_COLUMNS = ["uid", "encoder", "text_embedding", "image_embeddings", "view_weights"]


@dataclass(frozen=True)
class Scored:
    """One captioned object."""

    uid: str
    shard: int
    caption: str
    source: str
    score: float  # mean cosine of caption and views
    view_weights: np.ndarray  # [V]
    vector: np.ndarray  # [D], unit: the mean of its views' vectors


@dataclass(frozen=True)
class Audit:
    """All captioned objects of a corpus, the worst first, and the figures over them."""

    objects: list[Scored]
    figures: dict[str, Any]


def audit(corpus: CorpusStore) -> Audit:
    """Read what the caption and embed stages wrote.

    Raises:
        ConfigError: nothing is embedded yet, or by several encoders.
    """
    objects, texts, encoders = [], [], set()
    for shard in corpus.shards("embeddings"):
        captions = {row["uid"]: row for row in corpus.read_rows("captions", shard, CAPTION_COLUMNS)}
        for row in corpus.read_rows("embeddings", shard, EMBEDDING_COLUMNS):
            caption, weights = captions[row["uid"]], row["view_weights"]
            vector = object_vectors([row["image_embeddings"]])[0]
            fit = (float(weights.mean()), weights, vector)
            objects.append(Scored(row["uid"], shard, caption["caption"], caption["caption_source"], *fit))
            texts.append(row["text_embedding"])
            encoders.add(row["encoder"])
    if not objects:
        raise ConfigError(f"{corpus.uri}: nothing is embedded yet; run --stage embed first")
    if len(encoders) > 1:
        raise ConfigError(
            f"{corpus.uri}: embedded by several encoders ({', '.join(sorted(encoders))}); run --stage embed --force"
        )
    figures = {
        "objects": len(objects),
        "encoder": encoders.pop(),
        "score_median": float(np.median([item.score for item in objects])),
        **caption_recall(np.stack(texts), np.stack([item.vector for item in objects]), [o.caption for o in objects]),
    }
    return Audit(sorted(objects, key=lambda item: (item.score, item.uid)), figures)


def main() -> None:
    """Command line: see the module."""
    parser = argparse.ArgumentParser(prog="python -m caption.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="folder or bucket URI")
    parser.add_argument("--worst", type=int, default=20, help="captions printed (default: 20)")
    arguments = parser.parse_args()
    try:
        result = audit(CorpusStore(arguments.corpus))
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    for name, value in result.figures.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    for item in result.objects[: arguments.worst]:
        print(f"{item.score:.3f}  {item.uid}  {item.caption}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
