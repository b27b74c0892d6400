"""Names of the colours that an object shows."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from pipeline.values.color import srgb_to_linear

# Examples (sRGB) of beige and the eleven basic colour terms (Berlin and Kay 1969), light and dark as people use them.
_EXAMPLES = {
    "black": ["000000", "1c1c1c", "262420"],
    "white": ["ffffff", "f2f2f0", "f5f0e6"],
    "grey": ["808080", "505050", "a8a8a8", "c8c8c8", "707880"],
    "red": ["e01010", "a01515", "ff3030", "701010"],
    "orange": ["ff8000", "f06a10", "ffa040"],
    "yellow": ["ffe000", "f0d040", "fff080", "d0b010"],
    "green": ["10a010", "206020", "70b040", "a0d080", "607030", "30c060"],
    "blue": ["1030d0", "102060", "4080e0", "90b8e8", "20a0c0", "50708f"],
    "purple": ["7010a0", "402060", "a060c8", "b090d0"],
    "pink": ["ff70b0", "f8b0c0", "e03090", "d890a0"],
    "beige": ["d2b48c", "e8dcc0", "e0c8a8"],
    "brown": ["7a4a20", "4a2c18", "a87040", "5a4030", "c09868", "8a6a50"],
}
_THUMBNAIL = 64  # pixels a side
_MIN_SHARE = 0.25  # of the visible pixels that a colour needs to be named
_MOST_COLORS = 2
_AXIS_WEIGHTS = (0.6, 1.0, 1.0)  # a dark red is still called red: hue decides more than lightness

COLOR_NAMES = frozenset(_EXAMPLES) | {"gray", "golden", "silver"}


def dominant_colors(views: Sequence[Image.Image]) -> list[str]:
    """At most two colour names, the commonest first; each covers a quarter of the visible pixels or more.

    Empty where no pixel is visible or no colour prevails.
    """
    pixels = np.concatenate([_visible_pixels(view) for view in views])  # [P, 3]
    if not len(pixels):
        return []
    differences = (oklab(pixels)[:, None] - _EXAMPLES_OKLAB) * _AXIS_WEIGHTS  # [P, examples, 3]
    distances = np.linalg.norm(differences, axis=-1)
    shares = np.bincount(_EXAMPLE_NAMES[distances.argmin(1)], minlength=len(_EXAMPLES)) / len(pixels)
    order = np.argsort(-shares, kind="stable")[:_MOST_COLORS]
    return [list(_EXAMPLES)[index] for index in order if shares[index] >= _MIN_SHARE]


def oklab(srgb: np.ndarray) -> np.ndarray:
    """OKLab [..., 3] of sRGB [..., 3] in 0..1 (Ottosson 2020, "A perceptual color space for image processing")."""
    cones = np.cbrt(srgb_to_linear(srgb) @ _LINEAR_TO_LMS.T)
    lab: np.ndarray = cones @ _LMS_TO_LAB.T
    return lab


_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_EXAMPLES_OKLAB = oklab(
    np.array([list(bytes.fromhex(code)) for codes in _EXAMPLES.values() for code in codes], np.float64) / 255
)
_EXAMPLE_NAMES = np.repeat(np.arange(len(_EXAMPLES)), [len(codes) for codes in _EXAMPLES.values()])


def _visible_pixels(view: Image.Image) -> np.ndarray:
    small = view.convert("RGBA")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.NEAREST)  # no mixing: a mixed colour was not there
    rgba = np.asarray(small)
    return rgba[rgba[..., 3] > 127, :3] / 255
