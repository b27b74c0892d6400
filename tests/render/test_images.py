import numpy as np
import pytest

from render.color import linear_to_srgb, srgb_to_linear
from render.images import decode_rgba, encode_webp, straight_srgb


def test_webp_keeps_every_pixel_even_under_zero_alpha():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    pixels[:20, :, 3] = 0
    assert np.array_equal(decode_rgba(encode_webp(pixels)), pixels)


def test_premultiplied_linear_light_becomes_straight_srgb():
    half_red = np.array([[[0.25, 0.0, 0.0, 0.5], [2.0, 1.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.0]]], np.float32)
    expected = [[[188, 0, 0, 128], [255, 255, 0, 255], [0, 0, 0, 0]]]  # 0.5 linear is 188
    assert straight_srgb(half_red).tolist() == expected


def test_srgb_curves_invert_each_other():
    values = np.linspace(0, 1, 256)
    assert np.allclose(linear_to_srgb(srgb_to_linear(values)), values)
    assert linear_to_srgb(np.array([0.2140411]))[0] == pytest.approx(0.5, abs=1e-5)
