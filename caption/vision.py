"""Captions by a vision-language model: which views it is shown, and whether together or one by one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from PIL import Image

from caption.asking import ask
from caption.config import CaptionConfig
from caption.encoders import Encoder, load_encoder
from caption.prompts import load_prompt
from caption.questions import Question, VisionModel
from caption.result import Caption
from caption.subject import Subject
from caption.views import check_render, choose_views, thumbnails, view_coverage
from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Shown:
    """The views of an object that the model is shown, best first."""

    uid: str
    views: tuple[int, ...]
    images: tuple[Image.Image, ...]


def vision_captioner(config: CaptionConfig, model: VisionModel, merger: VisionModel, threads: int) -> "VisionCaptioner":
    """The captioner for the config's mode; `merger` is the chat model that merges captions of single views."""
    from caption.per_view import PerViewCaptioner

    needs_scorer = config.mode == "per-view" or config.choose_by == "embedding"
    scorer = load_encoder(config.scorer, threads) if needs_scorer else None
    if config.mode == "per-view":
        return PerViewCaptioner(config, model, scorer, merger)
    return TogetherCaptioner(config, model, scorer)


class VisionCaptioner(ABC):
    """Refuses bad renders and chooses views; how the model is then asked is a subclass' matter."""

    def __init__(self, config: CaptionConfig, model: VisionModel, scorer: Encoder | None):
        self.source = model.source
        self._config = config
        self._model = model
        self._scorer = scorer

    def caption(self, subjects: list[Subject]) -> list[Caption | Exception]:
        """A caption for every subject, or a `BadRender`, a `BadCaption` or the model's own error for it."""
        shown = [self._show(subject) for subject in subjects]
        good = [item for item in shown if isinstance(item, Shown)]
        captions = iter(self._caption(good) if good else [])
        return [next(captions) if isinstance(item, Shown) else item for item in shown]

    @abstractmethod
    def _caption(self, shown: list[Shown]) -> list[Caption | Exception]: ...

    def _show(self, subject: Subject) -> Shown | PipelineError:
        try:
            check_render(subject)
            by_embedding = self._config.choose_by == "embedding"
            features = self._scorer.encode_images(subject.views) if by_embedding else thumbnails(subject.views)
            chosen = choose_views(features, view_coverage(subject.views), self._config.views)
        except PipelineError as error:
            return error
        return Shown(subject.uid, tuple(chosen), tuple(subject.views[v] for v in chosen))


class TogetherCaptioner(VisionCaptioner):
    """One question per object, about all its chosen views; the objects of a batch are asked together."""

    def __init__(self, config: CaptionConfig, model: VisionModel, scorer: Encoder | None):
        super().__init__(config, model, scorer)
        self._prompt_id = config.prompt or ("object-v1" if model.is_chat else "prefix-v1")
        self._prompt = load_prompt(self._prompt_id)

    def _caption(self, shown: list[Shown]) -> list[Caption | Exception]:
        answers = ask(self._model, [Question(self._prompt, item.images, item.views) for item in shown])
        return [
            answer
            if isinstance(answer, Exception)
            else Caption(answer.text, views=answer.views, prompt_id=self._prompt_id)
            for answer in answers
        ]
