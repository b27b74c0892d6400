"""Comparison sheets: the view, the splat from the same camera, and where they differ."""

import io

import numpy as np
from PIL import Image

from fakes.synthetic_corpus import look_at_centre, object_row
from pipeline.report.pictures import DIFFERENCE_COLOR, DIFFERENCE_GAIN, best_known_first, comparison_sheet, difference


def plain(*rgba: int) -> Image.Image:
    return Image.new("RGBA", (4, 4), rgba)


def test_a_difference_is_as_strong_as_the_gap_on_white():
    assert np.asarray(difference(plain(10, 20, 30, 255), plain(10, 20, 30, 255)))[..., 3].max() == 0
    small = np.asarray(difference(plain(100, 100, 100, 255), plain(100, 110, 95, 255)))
    assert (small == (*DIFFERENCE_COLOR, 10 * DIFFERENCE_GAIN)).all()
    assert np.asarray(difference(plain(0, 0, 0, 255), plain(255, 0, 0, 255)))[0, 0, 3] == 255
    # What is transparent shows the white behind it, whatever its colour.
    assert np.asarray(difference(plain(9, 9, 9, 0), plain(255, 255, 255, 255)))[..., 3].max() == 0


def test_a_line_of_the_sheet_is_view_splat_and_difference_from_one_camera():
    row = object_row(1, 4, views=6, size=48, num_gaussians=400)
    sheet = comparison_sheet(row)
    first = best_known_first(row["world_to_camera"], row["heldout_views"])[0]
    view, splat, gap = (sheet.crop((i * 48, 0, (i + 1) * 48, 48)) for i in range(3))
    rendered = np.asarray(Image.open(io.BytesIO(row["images"][first]["bytes"])), float)
    np.testing.assert_array_equal(np.asarray(view), rendered)
    splatted = np.asarray(splat, float)
    inside = (rendered[..., 3] == 255) & (splatted[..., 3] > 250)
    assert inside.sum() > 300 and np.abs(rendered - splatted)[inside, :3].mean() < 15  # the same ball, as a splat
    assert np.asarray(gap)[0, 0, 3] == 0  # nothing is there to differ
    np.testing.assert_array_equal(np.asarray(gap), np.asarray(difference(view, splat)))


def test_the_first_line_looks_from_a_little_above():
    directions = {"below": [1, 0, -0.4], "above": [1, 0, 0.36], "top": [0.1, 0, 1], "level": [0, 1, 0]}
    cameras = np.stack([look_at_centre(np.array(direction) * 1.5) for direction in directions.values()])
    order = best_known_first(cameras.reshape(-1, 16), np.arange(4))
    assert [list(directions)[view] for view in order] == ["above", "level", "top", "below"]
