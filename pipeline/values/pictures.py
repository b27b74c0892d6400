"""What models see behind an object: transparent pixels become `BACKGROUND`."""

from PIL import Image

BACKGROUND = (255, 255, 255)  # sRGB


def over_background(image: Image.Image) -> Image.Image:
    """RGB picture: straight alpha laid over `BACKGROUND`; a picture without alpha is only converted."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = Image.new("RGBA", image.size, (*BACKGROUND, 255))
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")
