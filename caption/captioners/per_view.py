"""Captions of single views, the best of them merged into one (as in Cap3D, Luo et al. 2023, arXiv 2306.07279)."""

from string import Template

import numpy as np

from caption.captioners.asking import Answer, ask
from caption.captioners.questions import Question, VisionModel
from caption.captioners.result import Caption
from caption.captioners.vision import Shown, VisionCaptioner
from caption.config import CaptionConfig
from caption.encoders import Encoder
from caption.errors import BadCaption
from caption.prompts import load_prompt
from pipeline.base.errors import ConfigError

_MERGE_PROMPT = "merge-v1"


class PerViewCaptioner(VisionCaptioner):
    """Each view gets a caption and the caption a score against its view; a chat model merges the best."""

    def __init__(self, config: CaptionConfig, model: VisionModel, scorer: Encoder, threads: int, merger: VisionModel):
        if not merger.is_chat:
            raise ConfigError(f"caption.mode per-view: {merger.source} has no chat template and cannot merge captions")
        super().__init__(config, model, scorer if config.choose_by == "embedding" else None, threads)
        self._scorer = scorer
        self._merger = merger
        if merger.source != model.source:
            self.source = f"{model.source}+{merger.source.removeprefix('vlm:')}"
        view_prompt = config.prompt or ("view-v1" if model.is_chat else "prefix-v1")
        self._prompt_id = f"{view_prompt}+{_MERGE_PROMPT}"
        self._view_prompt = load_prompt(view_prompt)
        self._merge_prompt = Template(load_prompt(_MERGE_PROMPT))

    def _caption(self, shown: list[Shown]) -> list[Caption | Exception]:
        unmerged = self._view_captions(shown)
        asked = [caption for caption in unmerged if isinstance(caption, Caption)]
        merged = iter(ask(self._merger, [self._merge_question(caption) for caption in asked]) if asked else [])
        return [_merged(caption, next(merged)) if isinstance(caption, Caption) else caption for caption in unmerged]

    def _view_captions(self, shown: list[Shown]) -> list[Caption | Exception]:
        """Captions without text yet, with the captions of their views, best first; an error where no view has one."""
        questions = [
            Question(self._view_prompt, (image,), (view,))
            for item in shown
            for view, image in zip(item.views, item.images, strict=True)
        ]
        answers = iter(ask(self._model, questions))
        return [self._ranked(item, [next(answers) for _ in item.views]) for item in shown]

    def _ranked(self, item: Shown, answers: list[Answer | Exception]) -> Caption | Exception:
        good = [
            (answer, image) for answer, image in zip(answers, item.images, strict=True) if isinstance(answer, Answer)
        ]
        if not good:
            return next(answer for answer in answers if isinstance(answer, Exception))
        images = self._scorer.encode_images([image for _, image in good])  # [K, D]
        texts = self._scorer.encode_texts([answer.text for answer, _ in good])
        scores = (images * texts).sum(1)
        order = np.argsort(-scores, kind="stable")
        return Caption(
            text="",
            views=[good[k][0].views[0] for k in order],
            view_captions=[good[k][0].text for k in order],
            scores=scores[order],
            prompt_id=self._prompt_id,
        )

    def _merge_question(self, caption: Caption) -> Question:
        best = caption.view_captions[: self._config.keep]
        return Question(self._merge_prompt.substitute(captions="\n".join(f"- {text}" for text in best)))


def _merged(caption: Caption, answer: Answer | Exception) -> Caption | Exception:
    if isinstance(answer, BadCaption):
        return BadCaption(f"its views' captions could not be merged: {answer}")
    if isinstance(answer, Exception):
        return answer
    return Caption(answer.text, caption.views, caption.view_captions, caption.scores, caption.prompt_id)
