"""CLIP-GS. `from model import load_encoder, from_pretrained` loads what was trained (docs/clip-gs.md)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.network.pretrained import from_pretrained
    from model.splat_encoder import load_encoder

__all__ = ["from_pretrained", "load_encoder"]


def __getattr__(name: str) -> Any:
    """Public names are imported on demand: they bring torch and timm, which config does not need."""
    if name == "from_pretrained":
        from model.network.pretrained import from_pretrained

        return from_pretrained
    if name == "load_encoder":
        from model.splat_encoder import load_encoder

        return load_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
