"""Comparison sheets: views, the splat from the same cameras, and where they differ."""

import base64
import io

import numpy as np
from PIL import Image

from pipeline.base.errors import ConfigError
from pipeline.compat.devices import cuda_is_available
from pipeline.store.rows import Row
from pipeline.values.pictures import decode_view
from pipeline.values.splat import Gaussians

TILE = 192  # pixels; views that are smaller stay as they are
MAX_VIEWS = 4
DIFFERENCE_GAIN = 10  # a difference of a tenth of the range is drawn at full strength
DIFFERENCE_COLOR = (220, 38, 38)
ELEVATION = np.sin(np.deg2rad(20))  # of the camera from which most things are best recognised


def comparison_sheet(row: Row) -> Image.Image:
    """One line of tiles per held-out view: as rendered, as splatted, and their difference. Transparent outside.

    Args:
        row: joined views and gaussians of one object.

    Raises:
        AssetError: a view does not decode.
        ConfigError: the rasterizer is not installed.
    """
    views = best_known_first(row["world_to_camera"], row["heldout_views"])[:MAX_VIEWS] or [0]
    size, images = (row["width"], row["height"]), row["images"]
    references = [decode_view(images[view]["bytes"], size, f"object {row['uid']}, view {view}") for view in views]
    splats = splat_images(row, views)
    tile = min(TILE, row["width"])
    sheet = Image.new("RGBA", (3 * tile, len(views) * tile))
    for line, (reference, splat) in enumerate(zip(references, splats, strict=True)):
        for column, image in enumerate((reference, splat, difference(reference, splat))):
            sheet.paste(image.resize((tile, tile), Image.Resampling.BOX), (column * tile, line * tile))
    return sheet


def best_known_first(world_to_camera: np.ndarray, views: np.ndarray) -> list[int]:
    """Of cameras [V, 16], those numbered `views`: first the ones that look at the object from a little above."""
    upward = -world_to_camera.reshape(-1, 4, 4)[:, 2, 2]  # sine of the elevation: z of the way from object to camera
    return sorted((int(view) for view in views), key=lambda view: (abs(upward[view] - ELEVATION), view))


def splat_images(row: Row, views: list[int]) -> list[Image.Image]:
    """The object's Gaussians from the cameras of `views`, RGBA with straight alpha, as large as the views."""
    try:
        from fit_gaussians.draw import draw
    except ImportError as error:
        raise ConfigError(f"report: drawing splats needs {error.name}: install clip-gs-corpus[fit]") from error
    on_gpu = row["backend"] == "gsplat" and cuda_is_available()
    premultiplied, alpha = draw(
        Gaussians.from_row(row),
        row["world_to_camera"][views],
        row["intrinsics"][views],
        row["width"],
        row["height"],
        mode=row["rasterize_mode"],
        eps2d=row["eps2d"],
        backend="gsplat" if on_gpu else "numba",
        device="cuda" if on_gpu else "cpu",
    )
    colors = premultiplied / np.maximum(alpha, 1 / 255)[..., None]
    pixels = np.concatenate([colors, alpha[..., None]], -1).clip(0, 1) * 255
    return [Image.fromarray(image) for image in np.round(pixels).astype(np.uint8)]


def difference(first: Image.Image, second: Image.Image) -> Image.Image:
    """Where two RGBA images differ when both lie on white: one colour, the stronger the larger the difference."""
    red, green, blue = np.moveaxis(np.abs(_on_white(first) - _on_white(second)), -1, 0)
    gap = np.maximum(np.maximum(red, green), blue) * DIFFERENCE_GAIN
    pixels = np.empty((*gap.shape, 4), np.uint8)
    pixels[..., :3] = DIFFERENCE_COLOR
    pixels[..., 3] = np.round(np.minimum(gap, 1) * 255)
    return Image.fromarray(pixels)


def data_uri(image: Image.Image) -> str:
    """The image as a WebP that a page can carry."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, alpha_quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _on_white(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image, np.float32) / 255
    alpha = pixels[..., 3:]
    return pixels[..., :3] * alpha + 1 - alpha
