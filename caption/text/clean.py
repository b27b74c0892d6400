"""From what a model answered to one clean sentence, by rules; or the reason why that cannot be."""

import re
import unicodedata

from caption.errors import BadCaption

MIN_WORDS = 3
MAX_WORDS = 60

_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_CODE = re.compile(r"```\w*|`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}\s+|>\s+|[-*+•]\s+|\d{1,2}[.)]\s+)", re.MULTILINE)
_EMPHASIS = re.compile(r"\*+|(?<!\w)_+|_+(?!\w)|~~")
_TALK = re.compile(
    r"^(?:sure|certainly|of course|okay|ok|yes|here (?:is|are)|here's)\b[^.:!\n]*[.:!\n]+\s*", re.IGNORECASE
)
_LABEL = re.compile(r"^(?:the )?(?:caption|answer|description|sentence|output|object)\s*:\s*", re.IGNORECASE)

_PICTURE = r"(?:images?|pictures?|photos?|photographs?|renders?|renderings?|views?|screenshots?)"
_ARTICLE = r"(?:the|this|these|an?|all(?: of)? (?:the|these)|(?:the |these )?(?:\w+) (?=views|images|renders|pictures))"
_VERB = r"(?:shows?|depicts?|displays?|features?|presents?|illustrates?|contains?|is of|are of|is|are|of)"
_SHOWS = re.compile(
    rf"^(?:(?:in )?{_ARTICLE}\s+)?(?:(?:provided|given|rendered|following|3d|different)\s+)*{_PICTURE}"
    rf"(?:\s+(?:above|below|provided))?,?\s+(?:(?:clearly|all)\s+)?{_VERB}\s+(?:(?:views|images|renders) of\s+)?",
    re.IGNORECASE,
)
_THIS_IS = re.compile(r"^(?:this|it|there|that)\s+(?:is|are|shows|depicts|appears to be|seems to be)\s+", re.IGNORECASE)
_MODEL_OF = re.compile(
    r"^(?:an?|the)\s+(?:3d|three-dimensional|computer-generated|digital)(?:\s+\w+)?\s+"
    r"(?:model|render|rendering|representation|image)\s+of\s+",
    re.IGNORECASE,
)

_SENTENCE_END = re.compile(
    r"(?<!\b[A-Za-z])(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bSt)(?<!\bDr)(?<!\bNo)(?<!\bapprox)"
    r"[.!?]+(?=[\"')\]]*(?:\s|$))"
)
_DOUBLED = re.compile(r"\b(\w+)(?:\s+\1\b)+", re.IGNORECASE)

_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am)? (?:can(?:not|'t)|unable|sorry|not able|do not|don't|afraid)|i (?:can(?:not|'t)|apologi[sz]e)"
    r"|(?:sorry|apologies),|as an ai|language model|cannot (?:be )?(?:determine|identif|describe|provide|assist)"
    r"|no (?:image|picture)s? (?:was|were|is|are)|please (?:provide|upload|share))",
    re.IGNORECASE,
)
# not followed by a letter: "the image0" speaks of a picture, "the imagery" does not
_STILL_PICTURE = re.compile(rf"\b(?:the|this|these|each|both|all)\s+(?:\w+\s+)?{_PICTURE}(?![^\W\d_])", re.IGNORECASE)


def clean_caption(answer: str, complete: bool = True) -> str:
    """One sentence in plain text: no markdown, no "the image shows", first letter upper case, a full stop at the end.

    Of several sentences the first is kept. The rules are applied until they change nothing more, so a cleaned sentence
    stays as it is when cleaned again.

    Args:
        answer: what the model wrote.
        complete: False where a limit of tokens stopped it: then its first sentence must have an end of its own.

    Raises:
        BadCaption: it was cut off, nothing is left, too few or too many words, a refusal, a sentence about the picture
            instead of the object, or a model that repeats itself.
    """
    text = _without_preamble(_plain_text(answer))
    sentence = _first_sentence(text)
    if not complete and sentence == text:
        raise BadCaption(f"it was cut off: {sentence[-80:]!r}")
    caption = _dress(sentence)
    while (cleaner := _dress(_first_sentence(_without_preamble(_plain_text(caption))))) != caption:
        caption = cleaner  # what a rule took away uncovered work for another
    _check(caption.removesuffix("."))
    return caption


def _first_sentence(text: str) -> str:
    return _SENTENCE_END.split(text, maxsplit=1)[0]


def _dress(sentence: str) -> str:
    """A capital in front, one full stop at the end, no word twice in a row."""
    sentence = _DOUBLED.sub(r"\1", sentence).strip(" \t\"'“”‘’.,;:!?-–—")
    return sentence[:1].upper() + sentence[1:] + "."


def _plain_text(answer: str) -> str:
    text = unicodedata.normalize("NFC", _THOUGHTS.sub("", answer))
    text = _LINK.sub(r"\1", _CODE.sub("", text))
    text = _EMPHASIS.sub("", _LINE_MARK.sub("", text))
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return "\n".join(line for line in lines if line).strip("\"'“”‘’ ")


def _without_preamble(text: str) -> str:
    """Take talk, labels and "the image shows a 3D model of" away, in whatever order they come."""
    while True:
        shorter = text
        for pattern in (_TALK, _LABEL, _SHOWS, _THIS_IS, _MODEL_OF):
            shorter = pattern.sub("", shorter, count=1).lstrip("\"'“‘ ")
        if shorter == text:
            return " ".join(text.split("\n", 1)[0].split())
        text = shorter


def _check(sentence: str) -> None:
    words = re.findall(r"\w+", sentence.lower())
    if _REFUSAL.search(sentence):
        raise BadCaption(f"it refuses: {sentence[:80]!r}")
    if len(words) < MIN_WORDS:
        raise BadCaption(f"it has {len(words)} words, fewer than {MIN_WORDS}: {sentence[:80]!r}")
    if len(words) > MAX_WORDS:
        raise BadCaption(f"it has {len(words)} words, more than {MAX_WORDS}")
    if _STILL_PICTURE.search(sentence):
        raise BadCaption(f"it speaks of the picture, not of the object: {sentence[:80]!r}")
    if not sentence.isprintable() or "\ufffd" in sentence:
        raise BadCaption("it has characters that cannot be printed")
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if len(set(words)) * 2 < len(words) or len(triples) - len(set(triples)) > 2:
        raise BadCaption(f"it repeats itself: {sentence[:80]!r}")
