import numpy as np

from pipeline.values.pictures import view_pixels
from render.images import encode_webp, straight_srgb


def test_webp_keeps_every_pixel_even_under_zero_alpha():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    pixels[:20, :, 3] = 0
    assert np.array_equal(view_pixels(encode_webp(pixels), None, "a view"), pixels)


def test_premultiplied_linear_light_becomes_straight_srgb():
    half_red = np.array([[[0.25, 0.0, 0.0, 0.5], [2.0, 1.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.0]]], np.float32)
    expected = [[[188, 0, 0, 128], [255, 255, 0, 255], [0, 0, 0, 0]]]  # 0.5 linear is 188
    assert straight_srgb(half_red).tolist() == expected
