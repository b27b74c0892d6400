"""What a vision-language model is asked and what it answers, and what such a model is, wherever it runs."""

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


@dataclass(frozen=True)
class Reply:
    """What a model wrote, and whether it had come to its end when the limit of tokens stopped it."""

    text: str
    complete: bool = True


class VisionModel(Protocol):
    """What answers questions about pictures.

    Attributes:
        source: the model and its revision, as in `caption_source`.
        is_chat: whether it takes an instruction and several pictures; else it continues a text about one picture.
        batch_size: objects that it is best asked about at once.
    """

    source: str
    is_chat: bool
    batch_size: int

    def answer(self, questions: list[Question]) -> list[Reply | Exception]:
        """The reply to every question, in order, or the error that stands for it."""
