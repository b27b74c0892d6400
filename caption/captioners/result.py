"""What a captioner gives back for one object, and what a captioner is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from caption.pictures.subject import Subject


@dataclass(frozen=True)
class Caption:
    """A sentence and how it came about; the columns of the captions table."""

    text: str
    views: Sequence[int] = ()  # that the captioner looked at
    view_captions: Sequence[str] = ()  # one per view in `views`, where views were captioned one by one
    scores: Sequence[float] = ()  # of `view_captions` against their views
    prompt_id: str = ""


class Captioner(Protocol):
    """What a registered captioner is (caption/registry.py).

    Attributes:
        source: who says it: `metadata`, `vlm:MODEL@REVISION`.
    """

    source: str

    def caption(self, subjects: list[Subject]) -> list[Caption | Exception]:
        """A caption, or the error that stands for it, for every subject, in order."""
