"""Reads one split of the packed triplets, checks every object, and keeps the arrays in memory-mapped files.

The Parquet is decoded once; after that a random object costs a few page reads, whatever the size of the corpus, and
all threads share the same pages.
"""

import logging
import tempfile
from dataclasses import dataclass

import numpy as np

from pipeline.base.errors import ConfigError
from pipeline.reading.triplets import Triplets
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row
from pipeline.values.packed import WIDTH, pack
from pipeline.values.splat import ATTRIBUTES

logger = logging.getLogger(__name__)

COLUMNS = [
    "uid", "name", "category", "lvis_category", "caption", "encoder", "image_embeddings", "text_embedding",
    "view_weights", *ATTRIBUTES,
]  # fmt: skip


class RaggedArray:
    """Arrays [n_i, width] float32 of many objects, one after the other in a memory-mapped file without a name.

    Nobody has to remove it: its space is free again once the array is gone, or the process, however it ended.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="clip-gs-")  # noqa: SIM115  (open until `close`)
        self._ends = [0]
        self._width = 0

    def append(self, array: np.ndarray) -> None:
        """Add the next object's array."""
        self._width = array.shape[1]
        self._file.write(np.ascontiguousarray(array, np.float32).tobytes())
        self._ends.append(self._ends[-1] + len(array))

    def close(self) -> None:
        """No more objects: the arrays can be read now."""
        self._file.flush()
        if self._ends[-1]:
            self._array = np.memmap(self._file, np.float32, "r", shape=(self._ends[-1], self._width))
        self._file.close()  # the mapping holds the file

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self._array[self._ends[i] : self._ends[i + 1]]


@dataclass
class LoadedSplit:
    """One split in memory (or this rank's part of it). Row i of everything belongs to object i."""

    split: str
    encoder: str  # id of the encoder that made the embeddings; empty where there are no objects
    dim: int
    gaussians: RaggedArray  # of [N_i, 14], corpus frame
    images: RaggedArray  # of [V_i, dim], unit
    weights: list[np.ndarray]  # [V_i], cosine of view and caption
    texts: np.ndarray  # [objects, dim], unit
    uids: list[str]
    captions: list[str]
    labels: dict[str, list[str]]  # name, category, lvis_category

    def __len__(self) -> int:
        return len(self.uids)


def load_split(
    corpus: CorpusStore, split: str, minimum_gaussians: int, minimum_views: int = 1, part: tuple[int, int] = (0, 1)
) -> LoadedSplit:
    """Decode the triplets of a split; an empty split gives an empty `LoadedSplit`.

    Args:
        minimum_gaussians: the fewest that the model can cut into patches.
        minimum_views: the fewest that the loss draws from.
        part: (rank, ranks): this rank gets one of equal contiguous parts.

    Raises:
        ConfigError: an object that cannot be trained on (too few Gaussians or views, NaN), or embeddings of two
            encoders or sizes; the message names object and cure.
    """
    gaussians, images = RaggedArray(), RaggedArray()
    rows: list[Row] = []
    for row in Triplets(corpus, split).rows(COLUMNS, *part):
        packed = pack(row)
        _check(row, packed, rows[0] if rows else None, minimum_gaussians, minimum_views)
        gaussians.append(packed)
        images.append(row["image_embeddings"])
        light = {key: row[key] for key in ("uid", "name", "category", "lvis_category", "caption", "encoder")}
        rows.append({**light, "text": row["text_embedding"], "weights": row["view_weights"]})
    gaussians.close()
    images.close()
    logger.info("%s: %d objects", split, len(rows))
    return LoadedSplit(
        split=split,
        encoder=rows[0]["encoder"] if rows else "",
        dim=len(rows[0]["text"]) if rows else 0,
        gaussians=gaussians,
        images=images,
        weights=[row["weights"] for row in rows],
        texts=np.stack([row["text"] for row in rows]) if rows else np.zeros((0, 0), np.float32),
        uids=[row["uid"] for row in rows],
        captions=[row["caption"] for row in rows],
        labels={key: [row[key] or "" for row in rows] for key in ("name", "category", "lvis_category")},
    )


def _check(row: Row, gaussians: np.ndarray, first: Row | None, minimum_gaussians: int, minimum_views: int) -> None:
    uid = row["uid"]
    if first is not None and row["encoder"] != first["encoder"]:
        raise ConfigError(
            f"object {uid} was embedded by {row['encoder']}, object {first['uid']} by {first['encoder']}: one run "
            "needs one encoder; run the embed stage again with --force, then pack"
        )
    dims = {row["image_embeddings"].shape[1], len(row["text_embedding"])}
    if first is not None:
        dims.add(len(first["text"]))
    if len(dims) > 1:
        raise ConfigError(f"object {uid}: embeddings of {sorted(dims)} dimensions; run embed with --force, then pack")
    if len(row["image_embeddings"]) < minimum_views:
        raise ConfigError(
            f"object {uid} has {len(row['image_embeddings'])} views, training draws {minimum_views}: "
            "lower --train.voting-views or render more"
        )
    if len(gaussians) < minimum_gaussians:
        raise ConfigError(
            f"object {uid} has {len(gaussians)} Gaussians, the model cuts it into patches of at least "
            f"{minimum_gaussians}: choose a smaller model, or fit with more (--fit.num-gaussians)"
        )
    assert gaussians.shape[1] == WIDTH
    for name in ("gaussians", "image_embeddings", "text_embedding", "view_weights"):
        if not np.isfinite(gaussians if name == "gaussians" else row[name]).all():
            raise ConfigError(f"object {uid} has NaN or infinite {name}; redo it with --force, then pack")
