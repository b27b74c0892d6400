"""Colours that change with the view: real spherical harmonics of degree 1 to 3, as 3D Gaussian Splatting uses them.

The basis, its order and its signs are those of 3DGS (Kerbl et al. 2023; the polynomials of Sloan 2008, "Stupid
Spherical Harmonics Tricks", appendix A2, with the Condon-Shortley phase), so that coefficients can be exchanged with
its files. d = (x, y, z) is the unit vector from the camera to the Gaussian's centre, in the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

C1 = 0.4886025119029199
C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154, 1.445305721320277)


def basis_1(x, y, z):
    """The three harmonics of degree 1, of floats, arrays, tensors or the kernels' vectors."""
    return -C1 * y, C1 * z, -C1 * x


def basis_2(x, y, z):
    """The five of degree 2."""
    xx, yy, zz = x * x, y * y, z * z
    return C2[0] * (x * y), -C2[0] * (y * z), C2[1] * (2.0 * zz - xx - yy), -C2[0] * (x * z), C2[2] * (xx - yy)


def basis_3(x, y, z):
    """The seven of degree 3."""
    xx, yy, zz = x * x, y * y, z * z
    return (
        -C3[0] * (y * (3.0 * xx - yy)),
        C3[1] * (x * y * z),
        -C3[2] * (y * (4.0 * zz - xx - yy)),
        C3[3] * (z * (2.0 * zz - 3.0 * xx - 3.0 * yy)),
        -C3[2] * (x * (4.0 * zz - xx - yy)),
        C3[4] * (z * (xx - yy)),
        -C3[0] * (x * (xx - 3.0 * yy)),
    )


def view_colors(
    means: Tensor,  # [B, N, 3]
    colors: Tensor,  # [B, N, 3]
    sh_rest: Tensor,  # [B, N, K, 3]
    world_to_camera: Tensor,  # [B, C, 4, 4]
) -> Tensor:
    """[B, C, N, 3] the colour of every Gaussian as each camera sees it: max(0, colors + Σ Y_k(d) sh_rest[k]).

    Plain torch, differentiable with respect to all but the cameras; K is 0, 3, 8 or 15.
    """
    import torch

    rotation, translation = world_to_camera[..., :3, :3], world_to_camera[..., :3, 3]
    positions = -(rotation.transpose(-1, -2) @ translation[..., None])[..., 0]  # [B, C, 3]
    directions = torch.nn.functional.normalize(means[:, None] - positions[:, :, None], dim=-1)  # [B, C, N, 3]
    x, y, z = directions.unbind(-1)
    count = sh_rest.shape[2]
    values = [*basis_1(x, y, z), *basis_2(x, y, z), *basis_3(x, y, z)][:count]
    if not count:
        return colors[:, None].expand(-1, positions.shape[1], -1, -1)
    basis = torch.stack(values, -1)  # [B, C, N, K]
    return (colors[:, None] + torch.einsum("bcnk,bnkd->bcnd", basis, sh_rest)).clamp(min=0)
