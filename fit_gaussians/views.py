"""A row of the `views` table as arrays: decoded images, cameras, and which views train and which are held out."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.base.errors import AssetError
from pipeline.store.rows import Row
from pipeline.values.pictures import decode_view

MIN_COVERED_PIXELS = 16
"""Less alpha than this many opaque pixels have: nothing that could be fitted or measured."""

MIN_SIDE = 11
"""Pixels: the window of SSIM."""


CROP_MARGIN = 8
"""Pixels around the object's rectangle in a view that are still looked at."""


@dataclass(frozen=True)
class Views:
    """The V views of one object. Pixels stay bytes until they are needed: 36 views of 256² as floats are 38 MB.

    Attributes:
        pixels: [V, 4, H, W] uint8, straight alpha, sRGB; a plane per channel, as the CPU rasterizer writes its images.
        world_to_camera: [V, 4, 4] float32, OpenCV axes.
        intrinsics: [V, 4] float32 fx, fy, cx, cy in pixels, pixel centres at .5.
    """

    pixels: np.ndarray
    world_to_camera: np.ndarray
    intrinsics: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def height(self) -> int:
        return self.pixels.shape[2]

    @property
    def width(self) -> int:
        return self.pixels.shape[3]

    def __getitem__(self, index: list[int]) -> "Views":
        """The views at `index`, in its order."""
        return Views(self.pixels[index], self.world_to_camera[index], self.intrinsics[index])

    @property
    def alphas(self) -> np.ndarray:
        """[V, H, W] float32 in [0, 1]."""
        return self.pixels[:, 3] / np.float32(255)

    @property
    def colors(self) -> np.ndarray:
        """[V, H, W, 3] float32 in [0, 1] sRGB times alpha, so that blending over a background is one sum; in memory a
        plane per channel."""
        return np.moveaxis(self.pixels[:, :3] / np.float32(255) * self.alphas[:, None], 1, -1)

    def over(self, background: np.ndarray) -> np.ndarray:
        """[V, H, W, 3] the images over a background of shape [3] or [V, 1, 1, 3], blended in sRGB as 3DGS does."""
        return self.colors + (1 - self.alphas)[..., None] * np.asarray(background, np.float32)

    def opaque_pixels(self) -> float:
        """Alpha summed over all views, in pixels."""
        return float(self.pixels[:, 3].sum(dtype=np.int64)) / 255

    def object_rectangles(self) -> list[tuple[int, int, int, int]]:
        """Of each view left, top, right, bottom (exclusive) of what is covered, with a margin; all of an empty view."""
        return [self._rectangle(alpha) for alpha in self.pixels[:, 3]]

    def _rectangle(self, alpha: np.ndarray) -> tuple[int, int, int, int]:
        rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
        if not len(rows):
            return 0, 0, self.width, self.height
        left, right = _with_margin(columns, self.width)
        top, bottom = _with_margin(rows, self.height)
        return left, top, right, bottom


def _with_margin(covered: np.ndarray, length: int) -> tuple[int, int]:
    """First and end of a part of 0..length that holds what is covered, and SSIM's window."""
    first, end = max(int(covered[0]) - CROP_MARGIN, 0), min(int(covered[-1]) + 1 + CROP_MARGIN, length)
    return min(first, length - MIN_SIDE), max(end, MIN_SIDE)


def read_views(row: Row, resolution: int) -> Views:
    """Decode a row of the `views` table; views larger than `resolution` are reduced to it.

    Args:
        row: `uid`, `images`, `width`, `height`, `intrinsics` [V, 4] and `world_to_camera` [V, 16].
        resolution: longest side in pixels that the fit works at; 0 keeps the views as they are.

    Raises:
        AssetError: no images, a view that does not decode (`decode_view`), cameras that are missing, not finite or not
            as many as the images.
    """
    uid, width, height = row["uid"], row["width"], row["height"]
    images = row["images"] or []
    if not images:
        raise AssetError(f"object {uid}: no views to fit; render it again")
    if min(width, height) < MIN_SIDE:
        raise AssetError(
            f"object {uid}: views of {width} x {height} pixels; at least {MIN_SIDE} pixels a side are needed"
        )
    world_to_camera, intrinsics = _cameras(row, len(images))
    size = _fitted_size(width, height, resolution)
    pixels = np.empty((len(images), 4, size[1], size[0]), np.uint8)
    for index, image in enumerate(images):
        view = decode_view(image["bytes"], (width, height), f"object {uid}, view {index}")
        if size != view.size:  # a reduced pixel is the mean of the area that it covers; Pillow weighs colours by alpha
            view = view.resize(size, Image.Resampling.BOX)
        pixels[index] = np.moveaxis(np.asarray(view), -1, 0)
    return Views(pixels, world_to_camera, intrinsics * np.array([size[0] / width, size[1] / height] * 2, np.float32))


def split_views(count: int, heldout_every: int) -> tuple[list[int], list[int]]:
    """Indices of the training and of the held-out views.

    Every `heldout_every`-th view is held out, from the middle of the first such group on (on a Fibonacci sphere the
    first and the last views look from the poles); of too few views for that, the last one.

    Raises:
        ValueError: fewer than two views cannot be split.
    """
    if count < 2:
        raise ValueError("at least two views are needed: one to train on, one to measure on")
    heldout = list(range(heldout_every // 2, count, heldout_every)) or [count - 1]
    if len(heldout) == count:  # heldout_every = 1
        heldout = heldout[1:]
    return [index for index in range(count) if index not in set(heldout)], heldout


def _cameras(row: Row, views: int) -> tuple[np.ndarray, np.ndarray]:
    """[V, 4, 4] and [V, 4], float32."""
    arrays = []
    for name, shape in (("world_to_camera", (views, 4, 4)), ("intrinsics", (views, 4))):
        value = row[name]
        array = np.zeros(0) if value is None else np.asarray(value, np.float32)
        if array.size != np.prod(shape):
            raise AssetError(
                f"object {row['uid']}: {name} has {array.size} values for {views} views, expected {np.prod(shape)}; "
                "render it again"
            )
        if not np.isfinite(array).all():
            raise AssetError(f"object {row['uid']}: {name} holds values that are not finite; render it again")
        arrays.append(array.reshape(shape))
    world_to_camera, intrinsics = arrays
    if (intrinsics[:, :2] <= 0).any():
        raise AssetError(f"object {row['uid']}: a focal length is not positive; render it again")
    return world_to_camera, intrinsics


def _fitted_size(width: int, height: int, resolution: int) -> tuple[int, int]:
    """Width and height with the longest side brought down to `resolution`."""
    longest = max(width, height)
    if not resolution or longest <= resolution:
        return width, height
    fitted_width, fitted_height = (max(MIN_SIDE, round(side * resolution / longest)) for side in (width, height))
    return fitted_width, fitted_height
