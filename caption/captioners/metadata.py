"""A sentence from what the asset says of itself, and the colours measured in its views. No model is asked."""

from collections.abc import Iterable

from caption.captioners.result import Caption
from caption.config import CaptionConfig
from caption.pictures.colors import COLOR_NAMES, dominant_colors
from caption.pictures.subject import Subject
from caption.pictures.views import MIN_COVERAGE, spread_views
from caption.text.wording import article, clean_words, is_plural, noun_from_name, words_of

_MOST_TAGS = 4
# Categories and tags that tell where or how a model was made, or nothing.
_SAYS_NOTHING = frozenset(
    [
        "miscellaneous", "misc", "other", "various", "uncategorized", "3d", "model", "3d model", "lowpoly", "low poly",
        "low-poly", "highpoly", "high poly", "high-poly", "pbr", "blender", "blend swap", "sketchfab", "scpts",
        "game ready", "game-ready", "gameasset", "photogrammetry",
    ]
)  # fmt: skip
# Of people the colours measured are skin, hair and clothes: "a brown man" would say what no one saw.
_PEOPLE_TAGS = frozenset(["human", "people", "person"])
_PEOPLE = _PEOPLE_TAGS | frozenset(["man", "woman", "male", "female", "boy", "girl", "child", "baby", "men", "women"])


def load(config: CaptionConfig, threads: int) -> "MetadataCaptioner":
    """Captioner without a model; `threads` have nothing to do."""
    return MetadataCaptioner(config)


class MetadataCaptioner:
    """Captions such as "A brown and white armchair, filed under office and tagged seat and furniture."."""

    def __init__(self, config: CaptionConfig):
        self.source = "metadata"
        self._views = config.views

    def caption(self, subjects: list[Subject]) -> list[Caption]:
        return [self._caption(subject) for subject in subjects]

    def _caption(self, subject: Subject) -> Caption:
        looked_at = _even_views(subject, self._views)
        colors = dominant_colors(subject.open_views(looked_at)) if looked_at else []
        return Caption(sentence(subject, colors), views=looked_at)


def _even_views(subject: Subject, count: int) -> list[int]:
    """Views to measure colours in, evenly spread; none where the colours would not be the object's own."""
    if subject.missing_colors or subject.coverage < MIN_COVERAGE:
        return []
    return spread_views(len(subject.encoded_views), count)


def sentence(subject: Subject, colors: list[str]) -> str:
    """One English sentence that says the object's name, colours, category and tags, as far as they are known."""
    noun = _noun(subject)
    named = COLOR_NAMES.isdisjoint(words_of(noun)) and not _is_person(subject, noun) and colors
    phrase = f"{' and '.join(colors)} {noun}" if named else noun
    if not is_plural(noun):
        phrase = f"{article(phrase)} {phrase}"
    said = set(words_of(noun))
    filed = _unsaid([subject.category], said)
    tagged = _unsaid(subject.tags, said)
    clauses = [f"filed under {filed[0]}"] if filed else []
    clauses += [f"tagged {_enumerate(tagged[:_MOST_TAGS])}"] if tagged else []
    text = ", ".join([phrase, " and ".join(clauses)]) if clauses else phrase
    return text[0].upper() + text[1:] + "."


def _noun(subject: Subject) -> str:
    """What the object is called: by its name, else its LVIS category, else its first tag, else just an object."""
    for text in (subject.name, subject.lvis_category, *subject.tags):
        if noun := noun_from_name(text):
            return noun
    return "object"


def _is_person(subject: Subject, noun: str) -> bool:
    """Whether it is one by the last word of its name, or tagged as one: a child's chair is none."""
    tagged = {word for text in (subject.category, *subject.tags) for word in words_of(text)}
    return not _PEOPLE_TAGS.isdisjoint(tagged) or not _PEOPLE.isdisjoint(words_of(noun)[-1:])


def _unsaid(texts: Iterable[str], said: set[str]) -> list[str]:
    """The texts, cleaned, that have a word not yet in `said`; notes what they say."""
    fresh = []
    for text in texts:
        cleaned = clean_words(text)
        words = set(words_of(cleaned))
        if words - said and cleaned.lower() not in _SAYS_NOTHING:
            fresh.append(cleaned)
            said |= words
    return fresh


def _enumerate(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
