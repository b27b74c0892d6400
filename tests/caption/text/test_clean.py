import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caption.errors import BadCaption
from caption.text.clean import MAX_WORDS, clean_caption

CHAIR = "A wooden chair with a red seat."


@pytest.mark.parametrize(
    "answer",
    [
        "A wooden chair with a red seat.",
        "a wooden chair with a red seat",
        "  A wooden chair\n with a red seat.  ".replace("\n", ""),
        '"A wooden chair with a red seat."',
        "**A wooden chair** with a `red` seat.",
        "# Caption\nA wooden chair with a red seat.".replace("# Caption\n", "## "),
        "- A wooden chair with a red seat.",
        "Caption: A wooden chair with a red seat.",
        "Sure! Here is the caption:\n\nA wooden chair with a red seat.",
        "The image shows a wooden chair with a red seat.",
        "This image depicts a wooden chair with a red seat.",
        "The images show different views of a wooden chair with a red seat.",
        "These pictures show a wooden chair with a red seat.",
        "The provided images show a 3D model of a wooden chair with a red seat.",
        "This is a 3D rendering of a wooden chair with a red seat.",
        "A picture of a wooden chair with a red seat.",
        "A 3D model of a wooden chair with a red seat.",
        "It is a wooden chair with a red seat.",
        "A wooden wooden chair with a red seat.",
        "A wooden chair with a red seat. It stands on four legs. The back is curved.",
        "<think>Let me see. It has legs.</think>A wooden chair with a red seat.",
        "A wooden chair with a red seat!",
        "A [wooden chair](http://example.org) with a red seat.",
    ],
)
def test_answers_become_the_sentence(answer):
    assert clean_caption(answer) == CHAIR


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "words"),
        ("...", "words"),
        ("A chair.", "fewer"),
        ("I'm sorry, but I cannot help with that.", "refuses"),
        ("I cannot identify the object shown here.", "refuses"),
        ("I am unable to view images at this time.", "refuses"),
        ("As an AI language model I have no eyes.", "refuses"),
        ("Please provide an image so that I can help.", "refuses"),
        ("A chair seen from many sides in the image.", "picture"),
        ("chair seat chair seat chair legs chair.", "repeats"),
        ("a red chair and a red chair and a red chair and a red chair.", "repeats"),
        (" ".join(f"word{i}" for i in range(MAX_WORDS + 1)), "more than"),
        ("A wooden chair \ufffd\ufffd with a seat.", "printed"),
    ],
)
def test_bad_answers_say_why(answer, reason):
    with pytest.raises(BadCaption, match=reason):
        clean_caption(answer)


@pytest.mark.parametrize(
    "sentence",
    [
        "A statue of St. Peter, approx. 2.5 m tall, made of stone.",
        "A toy car, e.g. for children, in blue and yellow.",
        "A picture frame with a golden border and no photo.",
        "A view camera on a tripod of dark wood.",
        "A camera with a black body and a silver lens.",
        "A 1950s-style fridge with two doors.",
    ],
)
def test_good_sentences_stay(sentence):
    assert clean_caption(sentence) == sentence


PIECES = st.sampled_from(
    [
        "The image shows",
        "a chair",
        "with legs",
        "**",
        "\n",
        ". ",
        "Sure!",
        "- ",
        "`",
        "a 3D model of",
        "red",
        "I cannot",
        "Caption:",
        "#",
        "very",
    ]
)


REFUSED_START = re.compile(r"(?:the|this) images?(?![^\W\d_])|sure!|caption:", re.IGNORECASE)


@settings(max_examples=400)
@example("THE IMAGE SHOW # 0:0:1")  # behind the preamble the mark of a heading
@example("THE IMAGE0:0")
@given(st.text(max_size=200) | st.lists(PIECES | st.text(max_size=12), max_size=14).map(" ".join))
def test_whatever_is_answered_the_rules_hold_or_it_is_refused(answer):
    try:
        text = clean_caption(answer)
    except BadCaption:
        return
    assert text.endswith(".") and "\n" not in text and "  " not in text
    assert not REFUSED_START.match(text)
    assert not any(mark in text for mark in ("**", "`", "```"))
    assert clean_caption(text) == text
