"""The captions that fit their views worst, with their pictures, and how well captions find their objects.

`python -m caption.audit CORPUS` writes CORPUS/report/captions.html and CORPUS/report/captions.json. A caption's score
is the mean cosine of its vector and its views' vectors, as the embed stage stored them; it can be no better than the
encoder, which the page names.
"""

import argparse
import base64
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined

from caption.retrieval import caption_recall, object_vectors
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError
from pipeline.rows import rows_from_table

logger = logging.getLogger(__name__)

PICTURES = 4  # views shown of an object


@dataclass(frozen=True)
class Scored:
    """One captioned object."""

    uid: str
    shard: int
    caption: str
    source: str
    score: float  # mean cosine of caption and views
    view_weights: np.ndarray  # [V]


@dataclass(frozen=True)
class Audit:
    """All captioned objects of a corpus, the worst first, and the figures over them."""

    objects: list[Scored]
    figures: dict[str, Any]


def audit(corpus: Corpus) -> Audit:
    """Read what the caption and embed stages wrote.

    Raises:
        ConfigError: nothing is embedded yet, or by several encoders.
    """
    objects, texts, images, encoders = [], [], [], set()
    for shard in corpus.shards("embeddings"):
        columns = ["uid", "encoder", "text_embedding", "image_embeddings", "view_weights"]
        captions = {row["uid"]: row for row in corpus.read_rows("captions", shard)}
        for row in corpus.read_rows("embeddings", shard, columns):
            caption, weights = captions[row["uid"]], row["view_weights"]
            source = caption["caption_source"]
            objects.append(Scored(row["uid"], shard, caption["caption"], source, float(weights.mean()), weights))
            texts.append(row["text_embedding"])
            images.append(object_vectors([row["image_embeddings"]])[0])
            encoders.add(row["encoder"])
    if not objects:
        raise ConfigError(f"{corpus.uri}: nothing is embedded yet; run --stage embed first")
    if len(encoders) > 1:
        raise ConfigError(f"{corpus.uri}: embedded by several encoders ({', '.join(sorted(encoders))}); embed it again")
    figures = {
        "objects": len(objects),
        "encoder": encoders.pop(),
        "score_median": float(np.median([item.score for item in objects])),
        **caption_recall(np.stack(texts), np.stack(images), [item.caption for item in objects]),
    }
    return Audit(sorted(objects, key=lambda item: (item.score, item.uid)), figures)


def write_page(corpus: Corpus, result: Audit, worst: int) -> None:
    """Write the page with the `worst` captions, and the figures as JSON."""
    environment = Environment(
        loader=PackageLoader("caption", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = result.objects[:worst]
    failures = [row for shard in corpus.shards("captions") for row in corpus.read_errors("caption", shard)]
    page = environment.get_template("audit.html.j2").render(
        figures=result.figures,
        objects=[(item, _pictures(corpus, item)) for item in shown],
        failures=failures,
    )
    corpus.write_text(page, "report", "captions.html")
    corpus.write_json(result.figures, "report", "captions.json")


def _pictures(corpus: Corpus, item: Scored) -> list[tuple[str, float]]:
    """Data URLs of the views with the lowest and the highest cosine, and these."""
    order = np.argsort(item.view_weights, kind="stable")
    half = PICTURES // 2
    chosen = order if len(order) <= PICTURES else [*order[:half], *order[-half:]]
    views = _images(corpus, item)
    return [
        (f"data:{_media_type(views[v])};base64,{base64.b64encode(views[v]).decode()}", float(item.view_weights[v]))
        for v in chosen
    ]


def _images(corpus: Corpus, item: Scored) -> list[bytes]:
    """Encoded views of one object, without reading its whole shard."""
    with corpus.filesystem.open(corpus.shard_path("views", item.shard), "rb") as file:
        table = pq.read_table(file, columns=["uid", "images"], filters=[("uid", "==", item.uid)])
    return [image["bytes"] for image in rows_from_table(table)[0]["images"]]


def _media_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/webp"


def main() -> None:
    """Command line: see the module."""
    parser = argparse.ArgumentParser(prog="python -m caption.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="folder or bucket URI")
    parser.add_argument("--worst", type=int, default=20, help="captions shown (default: 20)")
    arguments = parser.parse_args()
    corpus = Corpus(arguments.corpus)
    try:
        result = audit(corpus)
        write_page(corpus, result, arguments.worst)
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    for name, value in result.figures.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    print(corpus.path("report", "captions.html"))


if __name__ == "__main__":
    main()
