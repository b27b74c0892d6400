"""How well a splat shows views that it was not trained on: PSNR and SSIM over a white background."""

import math
from dataclasses import dataclass

import numpy as np

from fit_gaussians.draw import draw
from fit_gaussians.rasterize import Backend, Mode
from fit_gaussians.rasterize.kernels.loss_kernel import loss_and_gradient
from fit_gaussians.views import Views
from pipeline.values.splat import Gaussians

BACKGROUND = 1.0
"""White behind prediction and truth alike, as the synthetic scenes of NeRF are scored."""
MAX_PSNR = 100.0
"""dB given to a perfect image."""


@dataclass(frozen=True)
class Quality:
    """Scores over some views; the names of the table's columns."""

    psnr: float
    """dB, mean over the views of the PSNR over all pixels."""
    ssim: float
    psnr_object: float
    """dB, mean over the views in which the object is seen, of the PSNR over the pixels where its alpha is above 0."""
    psnr_worst_view: float


def measure(
    splat: Gaussians, views: Views, mode: Mode, eps2d: float, backend: Backend = "numba", device="cpu"
) -> Quality:
    """Render `splat` from every camera of `views` and compare.

    Args:
        device: where torch draws, unless the backend is `numba`.

    Images are clamped to [0, 1] and not rounded to 8 bits. The object must be seen in one of the views at least.
    """
    psnr, similarity, psnr_object = [], [], []
    for index in range(len(views)):
        view = views[[index]]
        image, _ = draw(
            splat,
            view.world_to_camera,
            view.intrinsics,
            view.width,
            view.height,
            mode=mode,
            eps2d=eps2d,
            backend=backend,
            device=device,
            background=BACKGROUND,
        )
        predicted = image[0].clip(0, 1)  # [H, W, 3]
        truth = view.over(np.full(3, BACKGROUND, np.float32))[0]
        squared = np.square(predicted - truth).mean(-1)  # [H, W]
        seen = view.pixels[0, 3] > 0
        psnr.append(psnr_of(squared.mean(dtype=np.float64)))
        similarity.append(ssim_of(predicted, truth))
        if seen.any():
            psnr_object.append(psnr_of(squared[seen].mean(dtype=np.float64)))
    return Quality(_mean(psnr), _mean(similarity), _mean(psnr_object), min(psnr))


def psnr_of(mean_squared_error: float) -> float:
    """dB of images in [0, 1]."""
    return min(-10 * math.log10(mean_squared_error), MAX_PSNR) if mean_squared_error > 0 else MAX_PSNR


def ssim_of(image: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of two images [H, W, 3] in [0, 1], as `ssim.ssim`."""
    x, y = (np.ascontiguousarray(np.moveaxis(array, -1, 0), np.float32) for array in (image, truth))
    return 1 - loss_and_gradient(x, y, np.empty_like(x), ssim_weight=1.0)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
