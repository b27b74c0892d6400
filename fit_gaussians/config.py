"""Config of the fit stage."""

from typing import Literal

from pydantic import Field

from pipeline.base.settings import Section, runtime


class FitConfig(Section):
    """How views become Gaussians."""

    num_gaussians: int = Field(20_000, ge=1)
    """Maximum number of Gaussians; an object with fewer surface points gets fewer."""
    resolution: int = Field(256, ge=0)
    """Longest side in pixels at which views are fitted and evaluated; larger views are downscaled; 0: never."""
    iterations: int = Field(300, ge=0)
    """Optimisation steps."""
    early_stop: float = Field(0.0, ge=0, lt=1)
    """Stop early when a pass over the views lowers the loss by less than this fraction, such as 0.02; 0: never."""
    sh_degree: int = Field(0, ge=0, le=3)
    """Degree of the spherical harmonics; above 0, colours depend on the view (for view-dependent shading)."""
    rasterize_mode: Literal["antialiased", "classic"] = "antialiased"
    """antialiased: opacity compensates for eps2d, as in Mip-Splatting; classic: as in 3DGS."""
    eps2d: float = Field(0.1, ge=0)
    """Variance in pixels² added to every projected Gaussian (gsplat's eps2d; 0.3 in classic 3DGS)."""
    relocate_every: int = Field(0, ge=0)
    """Every Nth step, move transparent Gaussians to where opaque ones are (3DGS as MCMC); 0: never."""
    heldout_every: int = Field(6, ge=1)
    """Hold out every Nth view for PSNR and SSIM."""
    ssim_weight: float = Field(0.2, ge=0, le=1)
    """Weight of the SSIM loss; the L1 loss has the rest."""
    ssim_every: int = Field(3, ge=1)
    """Include the SSIM loss in every Nth step only."""
    alpha_weight: float = Field(0.1, ge=0)
    """Weight of the L1 loss on alpha."""
    seed: int = 0
    backend: Literal["auto", "numba", "gsplat"] = "auto"
    """auto: gsplat if there is a CUDA device, otherwise our Numba kernels; recorded in each row."""
    gpu_views_per_step: int = Field(1, ge=1)
    """Views of each object per step on a GPU; always one on a CPU."""
    gpu_batch: int = runtime(16, ge=1)
    """Objects fitted together on a GPU."""
