"""Which objects are good enough to be packed; what is not is counted by the gate that stopped it."""

from collections.abc import Callable
from typing import Any

from pipeline.pack.config import PackConfig

Gate = Callable[[dict[str, Any]], bool]  # True: the object may pass

# The columns that gates look at, by table.
GATE_COLUMNS = {
    "assets": ("sha256", "rotation", "license", "missing_textures"),
    "captions": ("scores",),
    "views": ("coverage", "unreadable_textures"),
    "gaussians": ("psnr",),
    "embeddings": (),
}


def gates(config: PackConfig) -> dict[str, Gate]:
    """The gates that the config asks for, by the reason under which they count; the first that fails is the reason.

    A gate may remember what it let pass (duplicates): ask a gate only for objects that passed those before it, once
    each, in the order of the corpus.
    """
    chosen: dict[str, Gate] = {"coverage": lambda row: row["coverage"] >= config.min_coverage}
    if config.min_psnr:
        chosen["psnr"] = lambda row: row["psnr"] >= config.min_psnr
    if not config.allow_missing_textures:
        chosen["missing_textures"] = lambda row: not (row["missing_textures"] or row["unreadable_textures"])
    if config.licenses:
        chosen["license"] = lambda row: row["license"] in config.licenses
    if config.min_caption_score:
        chosen["caption_score"] = lambda row: not row["scores"] or max(row["scores"]) >= config.min_caption_score
    if config.drop_duplicates:
        chosen["duplicate"] = first_of_its_content()
    return chosen


def first_of_its_content() -> Gate:
    """A gate for the first object of every content (and rotation: it shows the same file as another object)."""
    seen = set()

    def gate(row: dict[str, Any]) -> bool:
        content = (bytes.fromhex(row["sha256"]), tuple(row["rotation"] or ()))
        if content in seen:
            return False
        seen.add(content)
        return True

    return gate
