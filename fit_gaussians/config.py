"""Config of the fit stage."""

from typing import Literal

from pipeline.settings import Section


class FitConfig(Section):
    """How views become Gaussians."""

    num_gaussians: int = 20_000
    iterations: int = 300
    rasterize_mode: Literal["antialiased", "classic"] = "antialiased"
    eps2d: float = 0.1
    """Variance in pixels² added to every projected Gaussian (gsplat's eps2d; 0.3 in classic 3DGS)."""
    heldout_every: int = 6
    """Every so many-th view is held out for PSNR and SSIM."""
    ssim_weight: float = 0.2
    ssim_every: int = 3
    alpha_weight: float = 0.1
    """Weight of the L1 loss on alpha."""
    seed: int = 0
    backend: Literal["auto", "numba", "gsplat"] = "auto"
    """auto: gsplat where a CUDA device is there, else our Numba kernels; the row says which."""
