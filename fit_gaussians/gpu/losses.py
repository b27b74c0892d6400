"""What a step minimises: the image loss of 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7) and a loss on alpha."""

from torch import Tensor

from fit_gaussians.ssim import RADIUS, ssim, ssim_map


def image_loss(image: Tensor, truth: Tensor, ssim_weight: float) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM) of images [..., H, W, 3]; a scalar. Weight 0 leaves SSIM out."""
    absolute = (image - truth).abs().mean()
    if not ssim_weight:
        return absolute
    return (1 - ssim_weight) * absolute + ssim_weight * (1 - ssim(image, truth))


def image_losses(image: Tensor, truth: Tensor, inside: Tensor, ssim_weight: float) -> Tensor:
    """`image_loss` of each view alone, over a rectangle of it: what it would be of that rectangle cut out.

    Args:
        image, truth: [..., H, W, 3].
        inside: [..., H, W] bool, one rectangle a view, of at least 11 pixels a side.

    Returns:
        [...] one loss a view.
    """
    absolute = mean_inside((image - truth).abs().mean(-1), inside)
    if not ssim_weight:
        return absolute
    windows = inside[..., : -2 * RADIUS, : -2 * RADIUS] & inside[..., 2 * RADIUS :, 2 * RADIUS :]
    return (1 - ssim_weight) * absolute + ssim_weight * (1 - mean_inside(ssim_map(image, truth).mean(0), windows))


def mean_inside(values: Tensor, inside: Tensor) -> Tensor:
    """[...] the mean of each [H, W] of values [..., H, W] over the pixels inside."""
    return (values * inside).sum((-2, -1)) / inside.sum((-2, -1))
