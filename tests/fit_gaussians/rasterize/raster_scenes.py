"""Small scenes for the rasterizers' tests, and where their images can be compared to the last digit."""

import math

import torch
from torch import Tensor

from fit_gaussians.rasterize import rasterize, reference
from fit_gaussians.rasterize.conventions import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN

PARAMETERS = ("means", "quats", "scales", "opacities", "colors")
WIDTH, HEIGHT = 83, 61  # neither a multiple of a tile nor of a vector


def random_gaussians(count: int, seed: int, size: float = 0.05, flat: bool = False) -> dict[str, Tensor]:
    """A ball of `count` Gaussians of radius 0.5 about the origin, float64, batch of one."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape, low=0.0, high=1.0):
        return low + (high - low) * torch.rand(1, count, *shape, generator=generator, dtype=torch.float64)

    directions = torch.nn.functional.normalize(uniform(3, low=-1), dim=-1)
    scales = size * uniform(3, low=0.3, high=1.7)
    if flat:
        scales[..., 2] *= 0.1
    return {
        "means": directions * 0.5 * uniform(1) ** (1 / 3),
        "quats": uniform(4, low=-1),
        "scales": scales,
        "opacities": uniform(low=0.02, high=1.0),
        "colors": uniform(3),
    }


def camera(
    azimuth: float = 0.7, elevation: float = 0.4, distance: float = 1.6, width: int = WIDTH, height: int = HEIGHT
) -> dict[str, Tensor]:
    """A camera that looks at the origin, float64, as `world_to_camera` [1, 1, 4, 4] and `intrinsics` [1, 1, 4]."""
    away = torch.tensor(
        [math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)],
        dtype=torch.float64,
    )
    up = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    right = torch.nn.functional.normalize(torch.linalg.cross(-away, up), dim=0)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = torch.stack([right, torch.linalg.cross(-away, right), -away])
    matrix[2, 3] = distance
    intrinsics = torch.tensor([1.2 * width, 1.3 * width, 0.48 * width, 0.53 * height], dtype=torch.float64)
    return {"world_to_camera": matrix[None, None], "intrinsics": intrinsics[None, None]}


def to(tensors: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}


def draw(gaussians, view, *, background=None, width=WIDTH, height=HEIGHT, dtype=torch.float32, **options):
    """`rasterize` in float32 with the numba backend, unless told otherwise."""
    background = None if background is None else background.to(dtype)
    return rasterize(
        **to(gaussians, dtype), **to(view, dtype), width=width, height=height, background=background, **options
    )


def gradients(gaussians, view, v_image, v_alpha, *, dtype, background=None, **options) -> dict[str, Tensor]:
    """Image, alpha, and the gradients of Σ v_image image + v_alpha alpha, in float64."""
    leaves = {name: tensor.detach().clone().to(dtype).requires_grad_() for name, tensor in gaussians.items()}
    if background is not None:
        background = background.detach().clone().to(dtype).requires_grad_()
    image, alpha = rasterize(
        **leaves,
        **to(view, dtype),
        width=v_alpha.shape[-1],
        height=v_alpha.shape[-2],
        background=background,
        **options,
    )
    torch.autograd.backward([image, alpha], [v_image.to(dtype), v_alpha.to(dtype)])
    results = {"image": image.detach(), "alpha": alpha.detach()}
    results |= {name: leaf.grad for name, leaf in leaves.items()}
    if background is not None:
        results["background"] = background.grad
    return {name: tensor.double() for name, tensor in results.items()}


def settled_pixels(gaussians, view, mode: str, eps2d: float, width: int = WIDTH, height: int = HEIGHT) -> Tensor:
    """Pixels [1, 1, H, W] in which no decision (skip, clamp, stop) is so close that rounding could change it."""
    settled = torch.ones(height * width, dtype=torch.bool)
    projection = reference.project(
        *(gaussians[name][0] for name in PARAMETERS[:4]),
        view["world_to_camera"][0, 0],
        view["intrinsics"][0, 0],
        width,
        height,
        mode == "antialiased",
        eps2d,
    )
    generous = projection._replace(opacities=projection.opacities * 1.002)  # sees what is barely skipped, too
    generous = generous._replace(drawn=generous.drawn | (generous.opacities >= ALPHA_MIN) & (projection.depths > 0.01))
    candidates = reference.pair_with_pixels(generous, width, height)
    alphas = reference.pair_alphas(projection, candidates.gaussians, candidates.pixels, width)
    for threshold in (ALPHA_MIN, ALPHA_MAX):
        settled[candidates.pixels[(alphas / threshold - 1).abs() < 1e-3]] = False
    pairs = reference.pair_with_pixels(projection, width, height)
    alphas = reference.pair_alphas(projection, pairs.gaussians, pairs.pixels, width).clamp(max=ALPHA_MAX)
    behind = reference.transmittances(alphas, pairs) * (1 - alphas)
    settled[pairs.pixels[(behind / TRANSMITTANCE_MIN - 1).abs() < 1e-2]] = False
    return settled.reshape(1, 1, height, width)
