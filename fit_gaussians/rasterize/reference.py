"""Rasterization of Gaussians in plain torch: the oracle of the fast implementations.

Every step is differentiated by autograd, in any float type (float64 for tests). Blending runs over a sparse list of
(Gaussian, pixel) pairs, sorted by pixel and then by depth.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fit_gaussians.rasterize.conventions import (
    ALPHA_MAX,
    ALPHA_MIN,
    DETERMINANT_MIN,
    FAR_PLANE,
    FRUSTUM_MARGIN,
    NEAR_PLANE,
    TRANSMITTANCE_MIN,
)
from pipeline.values.quaternions import rotation_rows


class Projection(NamedTuple):
    """N Gaussians as seen by one camera."""

    means2d: Tensor  # [N, 2] pixels
    depths: Tensor  # [N]
    cov2d: Tensor  # [N, 3] the entries xx, xy, yy of Σ + eps2d I, pixels²
    conics: Tensor  # [N, 3] the same entries of its inverse
    opacities: Tensor  # [N] after compensation
    drawn: Tensor  # [N] bool: between the planes, and opaque enough to be seen anywhere


class Pairs(NamedTuple):
    """P pairs of a Gaussian and a pixel in which it may be seen, sorted by pixel, then by depth."""

    gaussians: Tensor  # [P] index of the Gaussian
    pixels: Tensor  # [P] y * width + x
    first: Tensor  # [P] bool: the first pair of its pixel


def rasterize_reference(
    means: Tensor,  # [B, N, 3]
    quats: Tensor,  # [B, N, 4]
    scales: Tensor,  # [B, N, 3]
    opacities: Tensor,  # [B, N]
    colors: Tensor,  # [B, N, 3] or [B, C, N, 3]
    world_to_camera: Tensor,  # [B, C, 4, 4]
    intrinsics: Tensor,  # [B, C, 4]
    width: int,
    height: int,
    *,
    background: Tensor | None,  # [B, C, 3] or [B, C, H, W, 3]
    antialiased: bool,
    eps2d: float,
) -> tuple[Tensor, Tensor]:
    """See `fit_gaussians.rasterize.rasterize`. Returns image [B, C, H, W, 3] and alpha [B, C, H, W]."""
    B, C = world_to_camera.shape[:2]
    image = means.new_zeros(B, C, height, width, 3)
    alpha = means.new_zeros(B, C, height, width)
    for b in range(B):
        for c in range(C):
            projection = project(
                means[b],
                quats[b],
                scales[b],
                opacities[b],
                world_to_camera[b, c],
                intrinsics[b, c],
                width,
                height,
                antialiased,
                eps2d,
            )
            pairs = pair_with_pixels(projection, width, height)
            seen = colors[b, c] if colors.ndim == 4 else colors[b]
            image[b, c], alpha[b, c] = blend(projection, pairs, seen, width, height)
    if background is not None:
        if background.ndim == 3:
            background = background[:, :, None, None]
        image = image + (1 - alpha)[..., None] * background
    return image, alpha


def quats_to_rotations(quats: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of quaternions wxyz [..., 4] of any norm above 0."""
    rows = rotation_rows(*torch.nn.functional.normalize(quats, dim=-1).unbind(-1))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def project(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    world_to_camera: Tensor,  # [4, 4]
    intrinsics: Tensor,  # [4]
    width: int,
    height: int,
    antialiased: bool,
    eps2d: float,
) -> Projection:
    """EWA projection (Zwicker et al. 2001, eq. 24-31; 3DGS, eq. 5): Σ' = J W R S Sᵀ Rᵀ Wᵀ Jᵀ + eps2d I.

    J is the Jacobian of the perspective projection at the centre, held inside the image plus a margin. The
    compensation of the antialiased mode is gsplat's sqrt(det Σ / det(Σ + eps2d I)).
    """
    fx, fy, cx, cy = intrinsics.tolist()
    rotation = world_to_camera[:3, :3]
    x, y, depths = (means @ rotation.T + world_to_camera[:3, 3]).unbind(-1)
    in_range = (depths > NEAR_PLANE) & (depths < FAR_PLANE)
    z = torch.where(in_range, depths, torch.ones_like(depths))  # what is not drawn must not divide by zero
    means2d = torch.stack([fx * x / z + cx, fy * y / z + cy], -1)

    margin_x, margin_y = FRUSTUM_MARGIN * width / fx, FRUSTUM_MARGIN * height / fy
    slope_x = (x / z).clamp(-cx / fx - margin_x, (width - cx) / fx + margin_x)
    slope_y = (y / z).clamp(-cy / fy - margin_y, (height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [torch.stack([fx / z, zero, -fx * slope_x / z], -1), torch.stack([zero, fy / z, -fy * slope_y / z], -1)], -2
    )
    axes = jacobian @ rotation @ (quats_to_rotations(quats) * scales[:, None, :])  # [N, 2, 3]
    covariance = axes @ axes.transpose(1, 2)
    xx, xy, yy = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    sharp_det = xx * yy - xy * xy
    xx, yy = xx + eps2d, yy + eps2d
    det = xx * yy - xy * xy
    invertible = det > DETERMINANT_MIN
    det = torch.where(invertible, det, torch.ones_like(det))

    if antialiased:
        ratio = sharp_det / det
        positive = ratio > 0  # sqrt has no gradient at 0, where nothing is drawn either
        compensation = torch.where(positive, torch.where(positive, ratio, torch.ones_like(ratio)).sqrt(), zero)
        opacities = opacities * compensation
    return Projection(
        means2d=means2d,
        depths=depths,
        cov2d=torch.stack([xx, xy, yy], -1),
        conics=torch.stack([yy / det, -xy / det, xx / det], -1),
        opacities=opacities,
        drawn=in_range & invertible & (opacities >= ALPHA_MIN),
    )


@torch.no_grad()
def pair_with_pixels(projection: Projection, width: int, height: int) -> Pairs:
    """All pairs whose alpha is at least 1/255: the pixels of each Gaussian's bounding box, then the exact test."""
    means2d, cov2d = projection.means2d, projection.cov2d
    reach = 2 * torch.log((projection.opacities / ALPHA_MIN).clamp(min=1))  # sigma² at which alpha is 1/255
    half = (reach[:, None] * cov2d[:, [0, 2]]).sqrt()
    limit = torch.tensor([width, height], dtype=means2d.dtype, device=means2d.device)
    low = torch.minimum((means2d - half - 0.5).ceil().clamp(min=0), limit).long()
    high = torch.minimum((means2d + half - 0.5).floor(), limit - 1).clamp(min=-1).long()
    box = (high - low + 1).clamp(min=0) * projection.drawn[:, None]  # [N, 2] pixels

    order = torch.argsort(projection.depths, stable=True)
    count = box.prod(-1)[order]
    gaussians = torch.repeat_interleave(order, count)
    index = torch.arange(gaussians.numel(), device=order.device)
    index = index - torch.repeat_interleave(count.cumsum(0) - count, count)
    x = low[gaussians, 0] + index % box[gaussians, 0]
    y = low[gaussians, 1] + torch.div(index, box[gaussians, 0], rounding_mode="floor")
    pixels = y * width + x

    seen = pair_alphas(projection, gaussians, pixels, width) >= ALPHA_MIN
    gaussians, pixels = gaussians[seen], pixels[seen]
    pixels, by_pixel = torch.sort(pixels, stable=True)
    first = torch.ones_like(pixels, dtype=torch.bool)
    first[1:] = pixels[1:] != pixels[:-1]
    return Pairs(gaussians[by_pixel], pixels, first)


def pair_alphas(projection: Projection, gaussians: Tensor, pixels: Tensor, width: int) -> Tensor:
    """Alpha [P] of each pair before it is clamped: opacity · exp(-½ dᵀ Σ⁻¹ d) (3DGS, eq. 4)."""
    center = torch.stack([pixels % width, torch.div(pixels, width, rounding_mode="floor")], -1) + 0.5
    dx, dy = (center - projection.means2d[gaussians]).unbind(-1)
    xx, xy, yy = projection.conics[gaussians].unbind(-1)
    return projection.opacities[gaussians] * torch.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy)


def transmittances(alphas: Tensor, pairs: Pairs) -> Tensor:
    """Transmittance [P] in front of each pair: the product of (1 - alpha) over the pairs before it in its pixel."""
    log_passed = torch.log1p(-alphas).double()  # float32 sums over all pixels would lose the small terms
    before = log_passed.cumsum(0) - log_passed
    pixel_of_pair = pairs.first.cumsum(0) - 1
    return torch.exp(before - before[pairs.first][pixel_of_pair]).to(alphas.dtype)


def blend(
    projection: Projection, pairs: Pairs, colors: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor]:  # [H, W, 3], [H, W]
    """Front to back blending (3DGS, eq. 3): Σ c_i α_i Π_{j<i} (1 - α_j), over black."""
    alphas = pair_alphas(projection, pairs.gaussians, pairs.pixels, width).clamp(max=ALPHA_MAX)
    in_front = transmittances(alphas, pairs)
    weights = in_front * alphas * (in_front * (1 - alphas) > TRANSMITTANCE_MIN)
    terms = torch.cat([weights[:, None] * colors[pairs.gaussians], weights[:, None]], -1)  # [P, 4]
    sums = terms.new_zeros(height * width, 4).index_add(0, pairs.pixels, terms).reshape(height, width, 4)
    return sums[..., :3], sums[..., 3]
