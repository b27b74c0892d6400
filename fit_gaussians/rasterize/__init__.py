"""Differentiable rasterization of 3D Gaussians: one function of torch tensors, three implementations.

- ``numba``: SIMD kernels for the CPU, one thread per call, float32 (`kernels/view.py`, `kernels/autograd.py`);
- ``gsplat``: gsplat's CUDA kernels, a whole batch in one call, float32 (`gsplat_backend.py`);
- ``reference``: plain torch in any float type on any device, slow (`reference.py`): the oracle of the other two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # a fit on the CPU does without torch
    from torch import Tensor

Mode = Literal["antialiased", "classic"]
Backend = Literal["numba", "gsplat", "reference"]

__all__ = ["Backend", "Mode", "rasterize"]


def rasterize(
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
    background: Tensor | None = None,  # [B, C, 3] or [B, C, H, W, 3]
    mode: Mode = "antialiased",
    eps2d: float = 0.1,
    backend: Backend = "numba",
) -> tuple[Tensor, Tensor]:
    """Render B sets of N Gaussians, each from C cameras of its own.

    Gaussians are projected by EWA splatting (Zwicker et al. 2001), sorted by the depth of their centres and blended
    front to back as in 3D Gaussian Splatting (Kerbl et al. 2023, eq. 3). The conventions are gsplat's: alpha is at
    most 0.999; a Gaussian is skipped in a pixel where its alpha is below 1/255; blending of a pixel stops before its
    transmittance would fall to 1e-4 or below; centres nearer than 0.01 are not drawn; the centre of the top left
    pixel is at (0.5, 0.5); cameras are OpenCV's (x right, y down, z forward).

    Args:
        means: centres in the world. [B, N, 3]
        quats: rotations, wxyz, of any norm above 0. [B, N, 4]
        scales: standard deviations along the three axes, > 0, in the world's unit. [B, N, 3]
        opacities: in [0, 1]. [B, N]
        colors: any range; sRGB in [0, 1] as we use it. [B, N, 3], or [B, C, N, 3]: as each camera sees them
            (`harmonics.view_colors`).
        world_to_camera: rigid transforms. [B, C, 4, 4]
        intrinsics: fx, fy, cx, cy in pixels. [B, C, 4]
        width, height: size of the images in pixels, > 0.
        background: colour behind the Gaussians, one per view or one per pixel; None is black.
        mode: ``antialiased`` multiplies opacities by sqrt(det(Σ) / det(Σ + eps2d I)), Σ being the projected
            covariance (Mip-Splatting, Yu et al. 2024, eq. 9, as in gsplat), and is differentiated through it;
            ``classic`` leaves them as they are.
        eps2d: variance in pixels² that is added to every projected Gaussian; >= 0.
        backend: see the module. ``gsplat`` needs CUDA tensors, ``numba`` CPU tensors, both float32.

    Returns:
        image: composited over the background. [B, C, H, W, 3]
        alpha: 1 - final transmittance. [B, C, H, W]
        Differentiable with respect to means, quats, scales, opacities, colors and background; not to the cameras.

    Raises:
        ValueError: shapes, types or devices that do not fit, or an unknown mode or backend; with the ``numba``
            backend also when a Gaussian or a camera is not finite.
        RuntimeError: the ``gsplat`` backend was asked for where gsplat or CUDA is missing.
    """
    _check_arguments(
        means, quats, scales, opacities, colors, world_to_camera, intrinsics, width, height, background, mode, eps2d
    )
    if backend == "numba":
        from fit_gaussians.rasterize.kernels.autograd import rasterize_cpu as implementation
    elif backend == "gsplat":
        from fit_gaussians.rasterize.gsplat_backend import rasterize_gsplat as implementation
    elif backend == "reference":
        from fit_gaussians.rasterize.reference import rasterize_reference as implementation
    else:
        raise ValueError(f"unknown rasterization backend {backend!r}: use 'numba', 'gsplat' or 'reference'")
    return implementation(
        means,
        quats,
        scales,
        opacities,
        colors,
        world_to_camera,
        intrinsics,
        width,
        height,
        background=background,
        antialiased=mode == "antialiased",
        eps2d=float(eps2d),
    )


def _check_arguments(
    means, quats, scales, opacities, colors, world_to_camera, intrinsics, width, height, background, mode, eps2d
) -> None:
    if mode not in ("antialiased", "classic"):
        raise ValueError(f"unknown rasterization mode {mode!r}: use 'antialiased' or 'classic'")
    if width <= 0 or height <= 0:
        raise ValueError(f"an image of {width} x {height} pixels cannot be rendered")
    if not eps2d >= 0:
        raise ValueError(f"eps2d is a variance and cannot be {eps2d}")
    if means.ndim != 3 or world_to_camera.ndim != 4:
        raise ValueError(
            f"means must be [B, N, 3] and world_to_camera [B, C, 4, 4], not {tuple(means.shape)} "
            f"and {tuple(world_to_camera.shape)}"
        )
    B, N = means.shape[:2]
    C = world_to_camera.shape[1]
    _check_shape("means", means, (B, N, 3))
    _check_shape("quats", quats, (B, N, 4))
    _check_shape("scales", scales, (B, N, 3))
    _check_shape("opacities", opacities, (B, N))
    _check_shape("colors", colors, (B, C, N, 3) if colors.ndim == 4 else (B, N, 3))
    _check_shape("world_to_camera", world_to_camera, (B, C, 4, 4))
    _check_shape("intrinsics", intrinsics, (B, C, 4))
    tensors = {
        "quats": quats,
        "scales": scales,
        "opacities": opacities,
        "colors": colors,
        "world_to_camera": world_to_camera,
        "intrinsics": intrinsics,
    }
    if background is not None:
        _check_shape("background", background, (B, C, height, width, 3) if background.ndim == 5 else (B, C, 3))
        tensors["background"] = background
    for name, tensor in tensors.items():
        if tensor.dtype != means.dtype or tensor.device != means.device:
            raise ValueError(
                f"{name} is {tensor.dtype} on {tensor.device}, means is {means.dtype} on {means.device}: "
                "give all tensors one type and one device"
            )


def _check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != expected:
        raise ValueError(f"{name} must have the shape {expected}, not {tuple(tensor.shape)}")
