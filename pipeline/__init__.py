"""3D assets to triplets. `from pipeline import Corpus` reads what came out (docs/dataset.md)."""

from typing import Any

__all__ = ["Corpus"]


def __getattr__(name: str) -> Any:
    """`Corpus` brings pyarrow and fsspec, which submodules that only hold config do not need."""
    if name == "Corpus":
        from pipeline.corpus import Corpus

        return Corpus
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
