"""Small triplets of simple shapes, written with the corpus' own writer."""

import numpy as np
import pyarrow as pa

from pipeline import Corpus
from pipeline.store.schema import triplets_schema

DIM = 32
VIEWS = 6
ENCODER = "test:none@0"


def random_gaussians(rng: np.random.Generator, count: int) -> np.ndarray:
    """[count, 14] float32 of any shape, in the corpus frame."""
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    quats[quats[:, 0] < 0] *= -1
    parts = [
        rng.normal(size=(count, 3)) * 0.2,
        rng.random((count, 3)),
        rng.uniform(0.05, 0.95, (count, 1)),
        rng.uniform(0.002, 0.03, (count, 3)),
        quats,
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def shape_gaussians(index: int, count: int) -> np.ndarray:
    """Boxes of different proportions and colours, [count, 14]."""
    rng = np.random.default_rng(index)
    gaussians = random_gaussians(rng, count)
    sides = 0.1 + 0.9 * np.array([index % 2, index // 2 % 2, index // 4 % 2])
    points = rng.uniform(-1, 1, (count, 3))
    axis = rng.integers(3, size=count)
    points[np.arange(count), axis] = np.sign(points[np.arange(count), axis])
    gaussians[:, :3] = points * sides / np.linalg.norm(2 * sides)
    gaussians[:, 3:6] = np.random.default_rng(100 + index).random(3)
    return gaussians


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def triplet_row(index: int, split: str, gaussians: np.ndarray, **changes) -> dict:
    """One row of the triplets table; vectors depend on `index` alone."""
    rng = np.random.default_rng(1000 + index)
    text = unit(rng.normal(size=DIM))
    images = unit(text + 0.5 * rng.normal(size=(VIEWS, DIM)) / np.sqrt(DIM))
    row = {name: _empty(triplets_schema().field(name).type) for name in triplets_schema().names}
    row |= {
        "uid": f"{split}-{index:04d}",
        "name": f"shape {index}",
        "category": f"category {index % 3}",
        "split": split,
        "caption": f"a box number {index}",
        "num_gaussians": len(gaussians),
        "means": gaussians[:, :3],
        "colors": gaussians[:, 3:6],
        "opacities": gaussians[:, 6],
        "scales": gaussians[:, 7:10],
        "quats": gaussians[:, 10:],
        "encoder": ENCODER,
        "dim": DIM,
        "text_embedding": text,
        "image_embeddings": images,
        "view_weights": images @ text,
    }
    return row | changes


def write_split(corpus: Corpus, split: str, rows: list[dict], rows_per_group: int = 3) -> None:
    """`triplets/SPLIT/` with one file of small row groups."""
    path = corpus.path("triplets", split, f"{split}-00000-of-00001.parquet")
    with corpus.table_writer(path, triplets_schema()) as writer:
        for first in range(0, len(rows), rows_per_group):
            writer.write(rows[first : first + rows_per_group])


def _empty(data_type: pa.DataType):
    if pa.types.is_list(data_type):
        return []
    if pa.types.is_string(data_type):
        return ""
    return False if pa.types.is_boolean(data_type) else 0
