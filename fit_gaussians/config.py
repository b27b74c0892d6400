"""Config of the fit stage."""

from typing import Literal

from pydantic import Field

from pipeline.settings import Section, runtime


class FitConfig(Section):
    """How views become Gaussians."""

    num_gaussians: int = Field(20_000, ge=1)
    """At most so many: an object with fewer surface points has fewer."""
    resolution: int = Field(256, ge=0)
    """Longest side in pixels that the fit works at and is measured at; larger views are reduced, 0: never."""
    iterations: int = Field(300, ge=0)
    early_stop: float = Field(0.0, ge=0, lt=1)
    """Ends a fit early when a pass over its views lowers the loss by less than this share (0.02, say); 0: never."""
    sh_degree: int = Field(0, ge=0, le=3)
    """Degree of the spherical harmonics: above 0, colours change with the view (for views that are shaded so)."""
    rasterize_mode: Literal["antialiased", "classic"] = "antialiased"
    eps2d: float = Field(0.1, ge=0)
    """Variance in pixels² added to every projected Gaussian (gsplat's eps2d; 0.3 in classic 3DGS)."""
    relocate_every: int = Field(0, ge=0)
    """Every so many-th step, transparent Gaussians are put where opaque ones are (3DGS as MCMC); 0: never."""
    heldout_every: int = Field(6, ge=1)
    """Every so many-th view is held out for PSNR and SSIM."""
    ssim_weight: float = Field(0.2, ge=0, le=1)
    ssim_every: int = Field(3, ge=1)
    alpha_weight: float = Field(0.1, ge=0)
    """Weight of the L1 loss on alpha."""
    seed: int = 0
    backend: Literal["auto", "numba", "gsplat"] = "auto"
    """auto: gsplat where a CUDA device is there, else our Numba kernels; the row says which."""
    gpu_views_per_step: int = Field(1, ge=1)
    """Views of each object that a step looks at on a GPU; on a CPU it is always one."""
    gpu_batch: int = runtime(16, ge=1)
    """Objects that a GPU fits in one call."""
