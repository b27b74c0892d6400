"""Captions by a vision-language model: which views it is shown, and the question about all of them together."""

from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from PIL import Image

from caption.captioners.asking import ask
from caption.captioners.questions import Question, VisionModel
from caption.captioners.result import Caption
from caption.config import CaptionConfig
from caption.encoders import Encoder
from caption.pictures.subject import Subject
from caption.pictures.views import candidate_views, check_render, choose_views, thumbnails, view_coverage
from caption.prompts import load_prompt
from pipeline.base.errors import AssetError, PipelineError
from pipeline.store.read_ahead import read_ahead


@dataclass(frozen=True)
class Shown:
    """The views of an object that the model is shown, best first."""

    uid: str
    views: tuple[int, ...]
    images: tuple[Image.Image, ...]


class VisionCaptioner(ABC):
    """Refuses bad renders and chooses views; how the model is then asked is a subclass's matter."""

    def __init__(self, config: CaptionConfig, model: VisionModel, chooser: Encoder | None, threads: int):
        """Args:
        chooser: the encoder whose vectors views are chosen by (`caption.choose_by`); None: their thumbnails.
        threads: that prepare objects while the model works.
        """
        self.source = model.source
        self._config = config
        self._model = model
        self._chooser = chooser
        self._threads = threads

    def caption(self, subjects: list[Subject]) -> list[Caption | Exception]:
        """A caption for every subject, or a `BadRender`, a `BadCaption` or the model's own error for it.

        The model is asked about `model.batch_size` objects at a time; meanwhile the next ones are prepared.
        """
        results: list[Caption | Exception] = []
        with closing(read_ahead(self._show, subjects, self._threads, ahead=len(subjects))) as prepared:
            while shown := list(islice(prepared, self._model.batch_size)):
                results += self._caption_or_refuse(shown)
        return results

    def _caption_or_refuse(self, shown: list[Shown | PipelineError]) -> list[Caption | Exception]:
        good = [item for item in shown if isinstance(item, Shown)]
        captions = iter(self._caption(good) if good else [])
        return [next(captions) if isinstance(item, Shown) else item for item in shown]

    @abstractmethod
    def _caption(self, shown: list[Shown]) -> list[Caption | Exception]: ...

    def _show(self, subject: Subject) -> Shown | PipelineError:
        try:
            candidates = candidate_views(len(subject.encoded_views), self._config.views)
            views = subject.open_views(candidates)
            check_render(subject, views)
            features = thumbnails(views) if self._chooser is None else self._chooser.encode_images(views)
            chosen = choose_views(features, view_coverage(views), self._config.views)
        except PipelineError as error:
            return error
        except (OSError, SyntaxError) as error:  # what Pillow raises when it decodes
            return AssetError(f"object {subject.uid}: a view cannot be decoded ({error}); render the object again")
        return Shown(subject.uid, tuple(candidates[i] for i in chosen), tuple(views[i] for i in chosen))


class TogetherCaptioner(VisionCaptioner):
    """One question per object, about all its chosen views; the objects of a batch are asked together."""

    def __init__(self, config: CaptionConfig, model: VisionModel, chooser: Encoder | None, threads: int):
        super().__init__(config, model, chooser, threads)
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
