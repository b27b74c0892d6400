"""Says of everything how many objects it was asked about."""

from caption.captioners.result import Caption
from caption.config import CaptionConfig
from caption.pictures.subject import Subject


class Weigher:
    source = "weigher"

    def caption(self, subjects: list[Subject]) -> list[Caption | Exception]:
        return [Caption(f"one of {len(subjects)}") for _ in subjects]


def load(config: CaptionConfig, threads: int) -> Weigher:
    return Weigher()
