"""Names and tags as people type them, made fit for an English sentence."""

import re
import unicodedata
from functools import cache

import inflect

# Capitals that stay though the rest of a name is written small.
_PROPER = frozenset(
    [
        "african", "american", "arabic", "asian", "barcelona", "british", "chinese", "christmas", "danish", "dutch",
        "egyptian", "english", "european", "french", "german", "greek", "indian", "italian", "japanese", "korean",
        "mexican", "moroccan", "persian", "polish", "roman", "russian", "scandinavian", "scottish", "siamese",
        "spanish", "swedish", "swiss", "thai", "turkish", "venetian", "victorian", "viking",
    ]
)  # fmt: skip
_MASS_NOUNS = frozenset(
    [
        "bread", "butter", "cheese", "clothing", "concrete", "furniture", "grass", "hair", "ice", "jewelry",
        "jewellery", "meat", "milk", "music", "paper", "rice", "sand", "snow", "soap", "soil", "sugar", "tennis",
        "water",
    ]
)  # fmt: skip
_SINGULAR_IN_S = re.compile(r"(?:ss|us|is|[cg]as|lens|chess|canvas|atlas|christmas)$")
_FILE_ENDING = re.compile(r"\.(?:glb|gltf|obj|fbx|stl|ply|blend|max|zip|3ds|dae)\b", re.IGNORECASE)
_MORE_THAN_A_NAME = re.compile(r"(?<=\w{3})[.!?;](?=\s)|https?://|www\.")
_TAIL = re.compile(r"(?: (?:v?\d+|final|export(?:ed)?|lowpoly|highpoly|untitled))+$", re.IGNORECASE)
_HEAD_ENDS = re.compile(r" (?:of|with|without|under|on|and|in|for|from|by)\b| \d", re.IGNORECASE)
_EMPTY_NAMES = frozenset(
    [
        "untitled", "scene", "model", "object", "mesh", "test", "new", "sketchfab", "default", "asset",
    ]
)  # fmt: skip
_JOINERS = ".,:'’/&+-"  # stand inside words
_LONGEST = 80  # characters


def clean_words(text: str) -> str:
    """Words with single spaces, at most `_LONGEST` characters; marks that are no part of a word are dropped."""
    text = "".join(c if _may_stand(c) else " " for c in unicodedata.normalize("NFC", text))
    words: list[str] = []
    for written in text.split():
        word = written.strip(_JOINERS)
        if word and (not words or word.lower() != words[-1].strip(",").lower()):
            words.append(word + "," * written.endswith(","))
    while len(" ".join(words)) > _LONGEST:
        words.pop()
    return _sentence_case(" ".join(words).strip(","))


def noun_from_name(name: str) -> str:
    """A noun phrase without article from an asset's name, such as `old_chair_v2.blend`; empty where it says nothing."""
    text = _FILE_ENDING.sub(" ", name.replace("_", " "))
    text = _MORE_THAN_A_NAME.split(text.strip(), maxsplit=1)[0]
    text = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})", " ", text)  # CamelCase
    text = clean_words(_TAIL.sub("", " ".join(text.split())))
    text = re.sub(r"^(?:(?:an?|the) )+", "", text, flags=re.IGNORECASE)
    words = words_of(text)
    says_something = any(len(word) > 1 and not word.isdigit() and word not in _EMPTY_NAMES for word in words)
    return text if says_something else ""


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, in order."""
    return re.findall(r"\w+", text.lower())


def article(noun: str) -> str:
    """`a` or `an`, by the sound of the noun's first word."""
    first = noun.split()[0]
    letters = re.match(r"[A-Z]+(?![a-z])", first)
    if letters and (len(letters[0]) <= 3 or not re.search("[AEIOU]", letters[0])):  # spelt out, as in SUV
        return "an" if letters[0][0] in "AEFHILMNORSX" else "a"
    if re.match(r"(?:8|11|18)(?!\d)|8\d", first):
        return "an"
    return _inflect().a(first).split()[0]


def is_plural(noun: str) -> bool:
    """Whether a noun phrase takes no `a`: its head is a plural or cannot be counted."""
    head = _HEAD_ENDS.split(noun)[0].split()
    word = head[-1].lower() if head else ""
    if word in _MASS_NOUNS:
        return True
    return word.endswith("s") and not _SINGULAR_IN_S.search(word) and bool(_inflect().singular_noun(word))


@cache
def _inflect() -> inflect.engine:
    return inflect.engine()


def _may_stand(character: str) -> bool:
    return character in _JOINERS or character in "€£°%#" or unicodedata.category(character)[0] in "LMN"


def _sentence_case(text: str) -> str:
    """Lower case for words that are written Like This only because they begin a name or stand in a title.

    A first word is lowered where it is alone or another word is small; all are lowered in titles of three words and
    more. A pair such as "Ford Focus" is left alone: it may be a name.
    """
    words = text.split()
    is_title = len(words) > 2 and sum(word[0].isupper() and word[1:].islower() for word in words) > 2
    if is_title:
        return " ".join(map(_small, words))
    if len(words) == 1 or any(word.isalpha() and word.islower() for word in words[1:]):
        words[:1] = map(_small, words[:1])
    return " ".join(words)


def _small(word: str) -> str:
    is_name = word.lower() in _PROPER or not (word[0].isupper() and word[1:].islower())
    return word if is_name else word.lower()
