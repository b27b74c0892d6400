"""3D assets to triplets. `from pipeline import Corpus` reads the result (docs/dataset.md)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.reading.corpus import Corpus
    from pipeline.reading.torch_stream import TripletStream

__all__ = ["Corpus", "TripletStream"]


def __getattr__(name: str) -> Any:
    """Public names are imported on demand: they bring pyarrow and torch, which config does not need."""
    if name == "Corpus":
        from pipeline.reading.corpus import Corpus

        return Corpus
    if name == "TripletStream":
        from pipeline.reading.torch_stream import TripletStream

        return TripletStream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
