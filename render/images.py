"""Pixels to image files and back, and linear light to the 8-bit sRGB that the corpus stores."""

import io

import numpy as np
from PIL import Image

from pipeline.values.color import linear_to_srgb


def encode_webp(rgba: np.ndarray) -> bytes:
    """Lossless WebP of straight-alpha sRGB pixels [H, W, 4] uint8; colours under transparent pixels are kept too."""
    buffer = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(buffer, "WEBP", lossless=True, exact=True, method=2, quality=50)
    return buffer.getvalue()


def straight_srgb(linear_premultiplied: np.ndarray) -> np.ndarray:
    """[H, W, 4] uint8 straight-alpha sRGB of a renderer's linear, premultiplied float pixels [H, W, 4].

    This is Blender's view transform "Standard" and no other; pixels without alpha become 0, 0, 0, 0.
    """
    alpha = np.clip(linear_premultiplied[..., 3], 0, 1)
    rgba = np.zeros(linear_premultiplied.shape, np.uint8)
    rgba[..., 3] = np.rint(alpha * 255)
    seen = rgba[..., 3] > 0
    linear = linear_premultiplied[seen, :3] / alpha[seen, None]
    rgba[seen, :3] = np.rint(linear_to_srgb(np.clip(linear, 0, 1)) * 255)
    return rgba
