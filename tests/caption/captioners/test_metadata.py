import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from caption.captioners.metadata import MetadataCaptioner, sentence
from caption.config import CaptionConfig
from caption.pictures.colors import dominant_colors
from caption.pictures.subject import Subject
from caption.text.wording import article, is_plural, noun_from_name


def subject(name="", tags=(), category="", lvis="", missing=(), coverage=0.3, views=()) -> Subject:
    size = views[0].size if views else (8, 8)
    encoded = []
    for view in views:
        file = io.BytesIO()
        view.save(file, "WEBP", lossless=True)
        encoded.append(file.getvalue())
    return Subject("u", name, tuple(tags), category, lvis, tuple(missing), coverage, tuple(encoded), size)


@pytest.mark.parametrize(
    ("given_subject", "colors", "expected"),
    [
        (subject("Armchair", ["Seat"], "Office"), ["brown"], "A brown armchair, filed under office and tagged seat."),
        (subject("Oven", ["Oven", "Appliance"], "Kitchen"), [], "An oven, filed under kitchen and tagged appliance."),
        (subject("Flowers"), ["green", "grey"], "Green and grey flowers."),
        (subject("Scissors", [], "Office"), ["orange", "black"], "Orange and black scissors, filed under office."),
        (subject("Black table"), ["brown"], "A black table."),  # its own word goes before what was measured
        (
            subject("Sitting male", ["Human"], "Characters"),
            ["brown"],
            "A sitting male, filed under characters and tagged human.",
        ),
        (subject("Girl"), ["grey"], "A girl."),  # not her colour
        (subject("Children game", ["Kid"]), ["red"], "A red children game, tagged kid."),
        (subject("Milk"), ["white"], "White milk."),
        (subject("SUV", ["Car"], "Vehicles"), [], "An SUV, filed under vehicles and tagged car."),
        (subject("Japanese maple"), [], "A Japanese maple."),
        (subject("Ford Focus"), [], "A Ford Focus."),
        (subject("Apple iMac 2004"), [], "An Apple iMac."),
        (subject("old_wooden_chair_v2.blend"), [], "An old wooden chair."),
        (subject("Untitled", [], "", "coffee_table"), [], "A coffee table."),
        (subject("", ["Toy", "Car"]), [], "A toy, tagged car."),
        (subject(), ["grey"], "A grey object."),
        (subject("Lamp", ["Low-poly", "Sketchfab"], "Miscellaneous"), [], "A lamp."),
        (subject("Double window 3 panes"), [], "A double window 3 panes."),
        (subject("Chair. Buy it at **shop.example**!"), [], "A chair."),
    ],
)
def test_sentences(given_subject, colors, expected):
    assert sentence(given_subject, colors) == expected


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("apple", "an"), ("bed", "a"), ("hourglass", "an"), ("unicorn", "a"), ("European bed", "a"), ("umbrella", "an"),
        ("UFO", "a"), ("LED lamp", "an"), ("TV", "a"), ("MP3 player", "an"), ("8-ball", "an"), ("80s radio", "an"),
        ("4x4 car", "a"), ("one-way sign", "a"), ("X-ray machine", "an"), ("USB plug", "a"), ("orange sofa", "an"),
    ],
)  # fmt: skip
def test_article(noun, expected):
    assert article(noun) == expected


@pytest.mark.parametrize(
    "noun", ["keys", "rails", "track lights", "sunglasses", "trousers", "pots with a lid", "bread"]
)
def test_plurals(noun):
    assert is_plural(noun)


@pytest.mark.parametrize(
    "noun", ["bus", "cactus", "glass", "iris", "canvas", "lens", "box of apples", "wardrobe", "sofa 2 seats", "dress"]
)
def test_singulars(noun):
    assert not is_plural(noun)


@pytest.mark.parametrize("name", ["", "untitled", "model", "12345", "scene_01", "...", "X", "New Object"])
def test_names_that_say_nothing(name):
    assert noun_from_name(name) == ""


TEXT = st.text(max_size=60) | st.sampled_from(
    ["Chair", "a chair", "OfficeChair_02", "chair chair", "Keys", "SUV 4x4", "no."]
)


@settings(max_examples=400)
@given(
    name=TEXT,
    tags=st.lists(TEXT, max_size=6),
    category=TEXT,
    lvis=TEXT,
    colors=st.sampled_from([[], ["orange"], ["grey", "red"]]),
)
def test_any_metadata_makes_one_grammatical_sentence(name, tags, category, lvis, colors):
    text = sentence(subject(name, tags, category, lvis), colors)
    assert text.endswith(".") and not re.search(r"[.,]\s*[.,]$", text)
    assert text[0] == text[0].upper()
    assert not re.search(r"\s\s|[\n\r\t`*]|\s[.,]", text)
    assert all(character.isprintable() for character in text)
    words = text.split()
    assert not any(a.lower() == b.lower() for a, b in zip(words, words[1:], strict=False)), text
    if found := re.match(r"(An?) (.+)", text):
        assert found[1].lower() == article(found[2])
    assert text == sentence(subject(name, tags, category, lvis), colors)


def solid(color, size=(32, 32), box=(4, 4, 28, 28)) -> Image.Image:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    image.paste(color, box)
    return image


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((180, 20, 20), "red"), ((110, 60, 30), "brown"), ((20, 20, 22), "black"), ((250, 250, 250), "white"),
        ((128, 128, 130), "grey"), ((30, 60, 170), "blue"), ((40, 110, 40), "green"), ((250, 210, 40), "yellow"),
        ((255, 140, 30), "orange"), ((240, 130, 180), "pink"), ((100, 30, 140), "purple"),
        ((210, 180, 140), "beige"), ((90, 15, 15), "red"),
    ],
)  # fmt: skip
def test_color_names(rgb, name):
    assert dominant_colors([solid((*rgb, 255))]) == [name]


def test_colors_are_those_of_visible_pixels_that_prevail():
    mostly_red = solid((200, 10, 10, 255))
    mostly_red.paste((30, 60, 200, 255), (4, 4, 28, 13))  # over a third blue
    mostly_red.paste((40, 160, 40, 255), (4, 26, 28, 28))  # a little green
    assert dominant_colors([mostly_red]) == ["red", "blue"]
    assert dominant_colors([Image.new("RGBA", (8, 8), (255, 0, 0, 0))]) == []


def test_the_captioner_measures_colors_only_where_they_are_the_objects_own():
    captioner = MetadataCaptioner(CaptionConfig(views=2))
    views = [solid((180, 20, 20, 255))] * 4
    seen, untextured, empty = captioner.caption(
        [
            subject("Chair", views=views),
            subject("Chair", views=views, missing=["wood.png"]),
            subject("Chair", views=views, coverage=0.001),
        ]
    )
    assert (seen.text, list(seen.views)) == ("A red chair.", [0, 3])
    assert untextured.text == empty.text == "A chair." and not untextured.views and not empty.views
    assert captioner.source == "metadata"
