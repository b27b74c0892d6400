"""Views as the config wants them packed: fewer, smaller or encoded otherwise than they were rendered."""

import io
from typing import Any

import numpy as np
from PIL import Image

from pipeline.pack.config import PackConfig
from pipeline.store.rows import Row
from pipeline.values.pictures import decode_view

PER_VIEW = ("images", "intrinsics", "world_to_camera", "image_embeddings", "view_weights")

# The large columns that may change with the views: these have to be decoded.
CHANGING = frozenset({"images", "intrinsics", "world_to_camera", "image_embeddings"})


def changes_views(config: PackConfig) -> bool:
    """Whether anything is to be done to the views."""
    return bool(config.views or config.image_size or config.image_format != "keep")


def with_views(row: Row, config: PackConfig) -> Row:
    """The joined row with its views chosen, resized and encoded; cameras and all columns about views follow."""
    if config.views and config.views < len(row["images"]):
        row = choose_views(row, np.linspace(0, len(row["images"]) - 1, config.views).round().astype(int))
    size = config.image_size or row["width"]
    if size != row["width"] or config.image_format != "keep":
        views = [
            decode_view(image["bytes"], (row["width"], row["height"]), f"object {row['uid']}, view {number}")
            for number, image in enumerate(row["images"])
        ]
        images = [_encoded(view, size, config) for view in views]
        factor = size / row["width"]
        height = round(row["height"] * factor)
        scale = np.array([factor, height / row["height"]] * 2)
        row = {**row, "images": images, "width": size, "height": height, "intrinsics": row["intrinsics"] * scale}
    return row


def choose_views(row: Row, chosen: np.ndarray) -> Row:
    """The row with only the views `chosen`, in this order; indices of views become those of the new order."""
    place = {int(old): new for new, old in enumerate(chosen)}
    per_view = {name: [row[name][i] for i in chosen] for name in PER_VIEW}
    captioned = [i for i, view in enumerate(row["caption_views"]) if int(view) in place]
    parallel = len(row["view_captions"]) == len(row["caption_views"])
    return {
        **row,
        **{name: values if name == "images" else np.stack(values) for name, values in per_view.items()},
        "heldout_views": np.array([place[int(view)] for view in row["heldout_views"] if int(view) in place], np.int32),
        "caption_views": np.array([place[int(row["caption_views"][i])] for i in captioned], np.int32),
        "view_captions": [row["view_captions"][i] for i in captioned] if parallel else row["view_captions"],
    }


def _encoded(image: Image.Image, size: int, config: PackConfig) -> dict[str, Any]:
    if size != image.width:
        height = round(image.height * size / image.width)
        image = image.resize((size, height), Image.Resampling.BOX)  # Pillow weighs RGB by alpha
    buffer = io.BytesIO()
    if config.image_format == "jpeg":
        on_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        on_white.convert("RGB").save(buffer, "JPEG", quality=config.image_quality)
    elif config.image_format == "png":
        image.save(buffer, "PNG")
    else:
        lossless = config.image_format == "keep"
        image.save(buffer, "WEBP", lossless=lossless, quality=config.image_quality)
    return {"bytes": buffer.getvalue(), "path": None}
