"""The image loss of 3D Gaussian Splatting for torch on the CPU, by our kernel: autograd around `loss_kernel.py`.

`fit_gaussians.gpu.losses.image_loss` is the same in plain torch.
"""

import torch
from torch import Tensor

from fit_gaussians.rasterize.kernels.loss_kernel import WINDOW, loss_and_gradient


def image_loss_cpu(image: Tensor, truth: Tensor, ssim_weight: float) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM), both means over all images, channels and pixels (or windows).

    Args:
        image: float32 on the CPU. [..., H, W, 3]
        truth: like image; no gradient is computed for it.
        ssim_weight: w, in [0, 1]; 0 leaves SSIM out, and most of the time.

    Returns:
        A scalar, differentiable with respect to image. Fastest when the images' channels are planes in memory, as
        the CPU rasterizer leaves them; others are copied.

    Raises:
        ValueError: images of different shapes, of another type, or smaller than a window where SSIM is asked for.
    """
    if image.shape != truth.shape or image.shape[-1] != 3 or image.ndim < 3:
        raise ValueError(f"the images must both be [..., H, W, 3], not {tuple(image.shape)} and {tuple(truth.shape)}")
    if {image.dtype, truth.dtype} != {torch.float32} or {image.device.type, truth.device.type} != {"cpu"}:
        raise ValueError("the images must be float32 on the CPU")
    if ssim_weight and min(image.shape[-3:-1]) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW} pixels a side, not {tuple(image.shape)}")
    return _ImageLoss.apply(image, truth, float(ssim_weight))


class _ImageLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image, truth, ssim_weight):
        x, y = (tensor.detach().movedim(-1, -3).contiguous() for tensor in (image, truth))  # [..., 3, H, W]
        gradient = torch.empty_like(x)
        planes = [tensor.view(-1, *x.shape[-2:]).numpy() for tensor in (x, y, gradient)]
        loss = loss_and_gradient(*planes, ssim_weight)
        ctx.save_for_backward(gradient.movedim(-3, -1))
        return image.new_tensor(loss)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, v_loss):
        (gradient,) = ctx.saved_tensors
        return gradient * v_loss, None, None
