"""Questions to a model until each has a clean sentence: a bad answer is asked again once, then it is a failure."""

from dataclasses import dataclass, replace
from string import Template

from caption.captioners.questions import Question, Reply, VisionModel
from caption.errors import BadCaption
from caption.prompts import load_prompt
from caption.text.clean import clean_caption


@dataclass(frozen=True)
class Answer:
    """A clean sentence and the views that the model was shown for it."""

    text: str
    views: tuple[int, ...]


def ask(model: VisionModel, questions: list[Question]) -> list[Answer | Exception]:
    """A clean answer to every question, or `BadCaption`, or the error that the model gave.

    A model that chats is told why its first answer was bad; one that does not is shown another view.
    """
    again = Template(load_prompt("again-v1"))
    results = _ask_once(model, questions if model.is_chat else [question.first_view() for question in questions])
    bad = [i for i, result in enumerate(results) if isinstance(result, BadCaption)]
    seconds = [_second(model, questions[i], again.substitute(reason=results[i])) for i in bad]
    for i, result in zip(bad, _ask_once(model, seconds) if bad else [], strict=True):
        if isinstance(result, BadCaption):
            result = BadCaption(f"{model.source} gave an unusable answer twice: {result}")
        results[i] = result
    return results


def _second(model: VisionModel, question: Question, again: str) -> Question:
    if model.is_chat:
        return replace(question, text=f"{question.text}\n\n{again}")
    if len(question.images) > 1:
        return Question(question.text, question.images[1:2], question.views[1:2])
    return question.first_view()


def _ask_once(model: VisionModel, questions: list[Question]) -> list[Answer | Exception]:
    replies = model.answer(questions)
    return [_judge(question, reply) for question, reply in zip(questions, replies, strict=True)]


def _judge(question: Question, reply: Reply | Exception) -> Answer | Exception:
    if isinstance(reply, Exception):
        return reply
    try:
        return Answer(clean_caption(reply.text, reply.complete), question.views)
    except BadCaption as error:
        return error
