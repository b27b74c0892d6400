import io

import numpy as np
import pytest
from PIL import Image

from caption.errors import BadRender
from caption.pictures.subject import Subject
from caption.pictures.views import candidate_views, check_render, choose_views, spread_views, thumbnails, view_coverage


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=True)
    return file.getvalue()


def subject(*views: Image.Image, coverage=0.5, missing=()) -> Subject:
    return Subject("u7", "", (), "", "", missing, coverage, tuple(map(encoded, views)), views[0].size)


def two_colors(left=(200, 0, 0, 255), right=(0, 0, 200, 255)) -> Image.Image:
    image = Image.new("RGBA", (16, 16), left)
    image.paste(right, (8, 0, 16, 16))
    return image


def test_views_that_differ_are_chosen_and_the_fullest_is_first():
    features = np.array([[0.0], [0.1], [10.0], [10.1], [5.0], [0.05]])
    coverage = np.array([0.5, 0.6, 0.5, 0.5, 0.5, 0.5])
    assert choose_views(features, coverage, 3) == [1, 3, 4]


def test_a_nearly_empty_view_is_not_chosen_though_it_differs_most():
    features = np.array([[0.0], [1.0], [1.5]])
    assert choose_views(features, np.array([0.5, 0.5, 0.001]), 2) == [0, 1]


@pytest.mark.parametrize("count", [1, 4, 9])
def test_no_view_is_chosen_twice(count):
    features = np.zeros((5, 2))  # all alike
    chosen = choose_views(features, np.full(5, 0.4), count)
    assert len(chosen) == len(set(chosen)) == min(count, 5)


@pytest.mark.parametrize(
    ("total", "count", "expected"), [(10, 4, [0, 3, 6, 9]), (3, 6, [0, 1, 2]), (1, 2, [0]), (5, 1, [0])]
)
def test_spread_views(total, count, expected):
    assert spread_views(total, count) == expected
    assert set(candidate_views(total, count)) >= {0} and len(candidate_views(total, count)) == min(2 * count, total)


def test_features_and_coverage_come_from_pixels():
    opaque, half = two_colors(), Image.new("RGBA", (16, 16), (9, 9, 9, 0))
    half.paste((200, 0, 0, 255), (0, 0, 8, 16))
    assert view_coverage([opaque, half]).tolist() == [1.0, 0.5]
    features = thumbnails([opaque, opaque, half])
    assert np.array_equal(features[0], features[1]) and not np.allclose(features[0], features[2])


def test_good_renders_pass():
    good = subject(two_colors())
    check_render(good, good.open_views())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (subject(two_colors(), coverage=0.009), "covers 0.90%"),
        (subject(two_colors(), missing=("wood.png",)), "without 1 textures: wood.png"),
        (subject(two_colors(right=(201, 1, 0, 255)), two_colors(right=(199, 0, 1, 255))), "one colour"),
        (subject(two_colors(right=(0, 0, 200, 0))), "one colour"),  # the other colour cannot be seen
    ],
)
def test_bad_renders_are_refused(bad, reason):
    with pytest.raises(BadRender, match=f"object u7 .*{reason}"):
        check_render(bad, bad.open_views())
