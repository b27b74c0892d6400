"""Joined rows of assets and views, as the stages are given them."""

import io

import numpy as np
from PIL import Image, ImageDraw


def picture(seed: int, size: int = 48) -> Image.Image:
    """An RGBA picture of something coloured on a transparent background; the same for the same seed."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, w, h = generator.integers(4, size // 2, 4)
        draw.rectangle((int(x), int(y), int(x + w), int(y + h)), fill=(*map(int, generator.integers(0, 256, 3)), 255))
    return image


def encoded(image: Image.Image) -> dict:
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=True)
    return {"bytes": file.getvalue(), "path": None}


def joined_row(uid: str, views: int = 5, seed: int = 0, **columns) -> dict:
    """A row with the columns that the caption and embed stages read."""
    images = [picture(seed * 100 + v) for v in range(views)]
    return {
        "uid": uid,
        "name": "Chair",
        "tags": ["Seat"],
        "category": "Office",
        "lvis_category": "",
        "missing_textures": [],
        "images": [encoded(image) for image in images],
        "width": images[0].width,
        "height": images[0].height,
        "coverage": 0.4,
        "caption": f"Caption of {uid}.",
    } | columns
