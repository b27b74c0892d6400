"""What a view is, encoded and opened, and what models see behind the object in it."""

import io

import numpy as np
from PIL import Image

from pipeline.base.errors import AssetError

VIEW_FORMATS = ("WEBP", "PNG", "JPEG")
"""What views are rendered and packed as; Pillow would try all that it knows."""
BACKGROUND = (255, 255, 255)  # sRGB; where a view is transparent

_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError)
"""What Pillow raises on broken files; `UnidentifiedImageError` is an `OSError`."""


def open_view(encoded: bytes, size: tuple[int, int] | None, where: str) -> Image.Image:
    """A view, opened but not decoded: a picture of any mode, whose pixels are decoded when they are first used.

    Args:
        size: width and height in pixels that its row states; None: any.
        where: object and view, for the message.

    Raises:
        AssetError: not a WebP, PNG or JPEG picture, or of another size.
    """
    try:
        image = Image.open(io.BytesIO(encoded), formats=VIEW_FORMATS)
    except _DAMAGE as error:
        reason = f"not a WebP, PNG or JPEG picture ({error})"
        raise AssetError(f"{where} does not decode: {reason}; render the object again") from error
    if size is not None and image.size != size:
        raise AssetError(f"{where} is {image.size} pixels, the row says {size}; render the object again")
    return image


def decode_view(encoded: bytes, size: tuple[int, int] | None, where: str) -> Image.Image:
    """A view as RGBA with straight alpha; one without alpha of its own, as every JPEG, is opaque.

    Raises:
        AssetError: as `open_view`, or its pixels do not decode.
    """
    image = open_view(encoded, size, where)
    try:
        if image.mode != "RGBA":
            return image.convert("RGBA")
        image.load()
    except _DAMAGE as error:
        raise AssetError(f"{where} does not decode: {error}; render the object again") from error
    return image


def view_pixels(encoded: bytes, size: tuple[int, int] | None, where: str) -> np.ndarray:
    """[H, W, 4] uint8 of `decode_view`."""
    return np.asarray(decode_view(encoded, size, where))


def over_background(image: Image.Image) -> Image.Image:
    """RGB picture: straight alpha laid over `BACKGROUND`; a picture without alpha is only converted."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = Image.new("RGBA", image.size, (*BACKGROUND, 255))
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")
