"""How well a splat shows views that it was not trained on: PSNR and SSIM over a white background."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fit_gaussians.gaussians import Gaussians
from fit_gaussians.rasterize import Backend, Mode, rasterize
from fit_gaussians.ssim import ssim
from fit_gaussians.views import Views

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


@torch.no_grad()
def measure(
    splat: Gaussians, views: Views, mode: Mode, eps2d: float, backend: Backend, device: torch.device | str
) -> Quality:
    """Render `splat` from every camera of `views` and compare.

    Images are clamped to [0, 1] and not rounded to 8 bits. The object must be seen in one of the views at least.
    """
    tensors = {name: torch.from_numpy(array)[None].to(device) for name, array in splat.arrays().items()}
    background = torch.full((1, 1, 3), BACKGROUND, device=device)
    psnr, similarity, psnr_object = [], [], []
    for index in range(len(views)):
        view = views[[index]]
        image, _ = rasterize(
            **tensors,
            world_to_camera=view.world_to_camera[None].to(device),
            intrinsics=view.intrinsics[None].to(device),
            width=views.width,
            height=views.height,
            background=background,
            mode=mode,
            eps2d=eps2d,
            backend=backend,
        )
        predicted = image[0, 0].clamp(0, 1).cpu()  # [H, W, 3]
        truth = view.over(torch.full((3,), BACKGROUND))[0]
        squared = (predicted - truth).square().mean(-1)  # [H, W]
        seen = view.alphas[0] > 0
        psnr.append(psnr_of(squared.mean()))
        similarity.append(float(ssim(predicted, truth)))
        if seen.any():
            psnr_object.append(psnr_of(squared[seen].mean()))
    return Quality(_mean(psnr), _mean(similarity), _mean(psnr_object), min(psnr))


def psnr_of(mean_squared_error: Tensor) -> float:
    """dB of images in [0, 1]."""
    return float((-10 * torch.log10(mean_squared_error.double())).clamp(max=MAX_PSNR))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
