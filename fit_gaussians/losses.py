"""What a step minimises: the image loss of 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7) and a loss on alpha."""

from torch import Tensor

from fit_gaussians.ssim import ssim


def image_loss(image: Tensor, truth: Tensor, ssim_weight: float) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM) of images [..., H, W, 3]; a scalar. Weight 0 leaves SSIM out."""
    absolute = (image - truth).abs().mean()
    if not ssim_weight:
        return absolute
    return (1 - ssim_weight) * absolute + ssim_weight * (1 - ssim(image, truth))
