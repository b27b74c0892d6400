"""Which objects are good enough to be packed; the others are counted by the gate that stopped them."""

from collections.abc import Callable

import numpy as np

from pipeline.pack.config import PackConfig
from pipeline.pack.near_duplicates import NearDuplicates
from pipeline.store.rows import Row, missing_colors
from pipeline.values.licences import comparable

# Says for each of some rows whether it may pass. A gate may remember what it saw (duplicates): it is asked once for
# each object that passed the gates before it, in the order of the corpus.
Gate = Callable[[list[Row]], list[bool]]


def gates(config: PackConfig) -> dict[str, Gate]:
    """The gates that the config asks for, by the reason under which they count, in order."""
    chosen: dict[str, Gate] = {"coverage": each(lambda row: row["coverage"] >= config.min_coverage)}
    if config.min_psnr:
        chosen["psnr"] = each(lambda row: row["psnr"] >= config.min_psnr)
    if not config.allow_missing_textures:
        chosen["missing_textures"] = each(lambda row: not missing_colors(row))
    if config.licenses:
        allowed = comparable(config.licenses)
        chosen["license"] = each(lambda row: not allowed.isdisjoint(comparable([row["license"]])))
    if config.min_caption_score:
        chosen["caption_score"] = each(
            lambda row: not len(row["scores"]) or max(row["scores"]) >= config.min_caption_score
        )
    if config.drop_duplicates:
        chosen["duplicate"] = each(FirstOfItsContent())
    if config.max_similarity:
        chosen["near_duplicate"] = NearDuplicates(config.max_similarity)
    return chosen


def gate_columns(config: PackConfig) -> dict[str, tuple[str, ...]]:
    """The columns that the gates look at, by table."""
    return {
        "assets": ("sha256", "rotation", "license", "missing_textures", "missing_colors"),
        "captions": ("scores",),
        "views": ("coverage",),
        "gaussians": ("psnr",),
        "embeddings": ("image_embeddings",) if config.max_similarity else (),
    }


def each(passes: Callable[[Row], bool]) -> Gate:
    """A gate that looks at one object at a time."""
    return lambda rows: [bool(passes(row)) for row in rows]


class FirstOfItsContent:
    """Passes the first object of every content (and rotation: the same file rotated is another object)."""

    def __init__(self) -> None:
        self._seen: set[tuple[bytes, bytes]] = set()

    def __call__(self, row: Row) -> bool:
        content = (bytes.fromhex(row["sha256"]), np.asarray(row["rotation"], np.float64).tobytes())
        if content in self._seen:
            return False
        self._seen.add(content)
        return True
