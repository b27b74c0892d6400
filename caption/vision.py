"""Captions by a vision-language model that is shown several views of an object at once."""

from caption.asking import ask
from caption.config import CaptionConfig
from caption.prompts import load_prompt
from caption.questions import Question, VisionModel
from caption.result import Caption
from caption.subject import Subject
from caption.views import check_render, choose_views, thumbnails, view_coverage
from pipeline.errors import PipelineError


class VisionCaptioner:
    """One question per object; the objects of a batch are asked together."""

    def __init__(self, config: CaptionConfig, model: VisionModel):
        self.source = model.source
        self._model = model
        self._views = config.views
        self._prompt_id = config.prompt or ("object-v1" if model.is_chat else "prefix-v1")
        self._prompt = load_prompt(self._prompt_id)

    def caption(self, subjects: list[Subject]) -> list[Caption | Exception]:
        """A caption for every subject, or a `BadRender`, a `BadCaption` or the model's own error for it."""
        questions = [self._question(subject) for subject in subjects]
        good = [question for question in questions if isinstance(question, Question)]
        answers = iter(ask(self._model, good) if good else [])
        return [self._caption(next(answers)) if isinstance(question, Question) else question for question in questions]

    def _question(self, subject: Subject) -> Question | PipelineError:
        try:
            check_render(subject)
            chosen = choose_views(thumbnails(subject.views), view_coverage(subject.views), self._views)
        except PipelineError as error:
            return error
        return Question(self._prompt, tuple(subject.views[v] for v in chosen), tuple(chosen))

    def _caption(self, answer) -> Caption | Exception:
        if isinstance(answer, Exception):
            return answer
        return Caption(answer.text, views=answer.views, prompt_id=self._prompt_id)
