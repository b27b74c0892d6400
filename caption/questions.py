"""What a vision-language model is asked, and what such a model is, wherever it runs."""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True)
class Question:
    """A text, the pictures (RGB or RGBA; perhaps none) that go with it, and the numbers of the views that they are."""

    text: str
    images: tuple[Image.Image, ...] = ()
    views: tuple[int, ...] = ()

    def first_view(self) -> "Question":
        """With its first picture alone."""
        return Question(self.text, self.images[:1], self.views[:1])


class VisionModel(Protocol):
    """What answers questions about pictures.

    Attributes:
        source: the model and its revision, as in `caption_source`.
        is_chat: whether it takes an instruction and several pictures; else it continues a text about one picture.
    """

    source: str
    is_chat: bool

    def answer(self, questions: list[Question]) -> list[str | Exception]:
        """The answer to every question, in order, or the error that stands for it."""
