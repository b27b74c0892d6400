import numpy as np
import pytest

from fit_gaussians.views import read_views, split_views
from pipeline.base.errors import AssetError
from tests.fit_gaussians.scenes import encode, sphere_row


@pytest.fixture(scope="module")
def row():
    return sphere_row(views=3, size=32, points=500)


def flat_view(rgba) -> dict:
    return encode(np.tile(np.array(rgba, np.uint8), (32, 32, 1)))


def test_colours_are_premultiplied_and_blend_over_any_background(row):
    views = read_views(row | {"images": [flat_view([200, 100, 0, 51])] * 3}, 0)
    alpha = 51 / 255
    assert views.colors[0, 4, 7].tolist() == pytest.approx([200 / 255 * alpha, 100 / 255 * alpha, 0])
    white = views.over(np.ones(3))[0, 4, 7]
    assert white.tolist() == pytest.approx([200 / 255 * alpha + 1 - alpha, 100 / 255 * alpha + 1 - alpha, 1 - alpha])


def test_larger_views_are_reduced_with_their_cameras(row):
    views, whole = read_views(row, 16), read_views(row, 0)
    assert (views.width, views.height) == (16, 16)
    assert views.intrinsics == pytest.approx(whole.intrinsics / 2)
    blocks = whole.alphas.reshape(3, 16, 2, 16, 2).mean((2, 4))
    assert views.alphas == pytest.approx(blocks, abs=1 / 255 + 1e-6)  # 8 bits, one side after the other
    assert read_views(row, 100).width == 32  # never enlarged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": []}, "no views"),
        ({"images": None}, "no views"),
        ({"world_to_camera": None}, "world_to_camera has 0 values"),
        ({"world_to_camera": np.zeros((2, 16))}, "world_to_camera has 32 values for 3 views"),
        ({"intrinsics": np.full((3, 4), np.nan)}, "not finite"),
        ({"intrinsics": np.zeros((3, 4))}, "focal length"),
        ({"width": 64}, r"view 0 is \(32, 32\)"),
        (
            {"images": [{"bytes": b"no image", "path": None}] * 3},
            "view 0 does not decode: not a WebP, PNG or JPEG picture",
        ),
        ({"width": 8, "height": 8}, "at least 11 pixels"),
    ],
)
def test_bad_views_are_refused_by_name(row, change, message):
    with pytest.raises(AssetError, match=message) as error:
        read_views(row | change, 0)
    assert "object sphere" in str(error.value)


def test_a_truncated_image_is_refused(row):
    data = row["images"][1]["bytes"]
    images = [row["images"][0], {"bytes": data[: len(data) // 2], "path": None}, row["images"][2]]
    with pytest.raises(AssetError, match="view 1 does not decode"):
        read_views(row | {"images": images}, 0)


@pytest.mark.parametrize(("pixel", "rectangle"), [((0, 31), (21, 0, 32, 11)), ((15, 15), (7, 7, 24, 24))])
def test_the_rectangle_of_a_single_pixel_holds_the_window_of_ssim(row, pixel, rectangle):
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[pixel] = 255
    assert read_views(row | {"images": [encode(rgba)] * 3}, 0).object_rectangles() == [rectangle] * 3


def test_every_sixth_view_is_held_out():
    train, heldout = split_views(36, 6)
    assert heldout == [3, 9, 15, 21, 27, 33]
    assert sorted(train + heldout) == list(range(36))


@pytest.mark.parametrize(("count", "every"), [(2, 6), (3, 6), (3, 1), (2, 2), (24, 6)])
def test_both_parts_of_a_split_hold_something(count, every):
    train, heldout = split_views(count, every)
    assert train and heldout and sorted(train + heldout) == list(range(count))


def test_one_view_cannot_be_split():
    with pytest.raises(ValueError, match="two views"):
        split_views(1, 6)
