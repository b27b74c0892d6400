"""Splats as PLY files in the layout of 3D Gaussian Splatting (Kerbl et al. 2023), which every viewer reads."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from plyfile import PlyData, PlyElement, PlyParseError

from pipeline.base.errors import AssetError
from pipeline.values.splat import MAX_SH_DEGREE, SH_C0, Gaussians, rest_count

BEFORE_REST = ("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2")
AFTER_REST = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")


@dataclass(frozen=True)
class SplatFile:
    """What a PLY holds: the splat, and how it wants to be rasterized (None where the file does not say)."""

    splat: Gaussians
    rasterize_mode: str | None
    eps2d: float | None


def write_ply(target: Path | BinaryIO, splat: Gaussians, rasterize_mode: str, eps2d: float) -> None:
    """Write binary little-endian PLY: opacity as logit, scales as logarithms, colour as SH coefficient of degree 0.

    Coefficients above degree 0 are `f_rest_0` and so on: all of red, then all of green, then all of blue. Normals are
    zero, as everywhere. Comment lines record the rasterization that the splat was fitted for: a viewer with the classic
    dilation of 0.3 pixels² draws an antialiased splat thicker.
    """
    opacities = splat.opacities.astype(np.float64).clip(1e-6, 1 - 1e-6)
    columns = np.concatenate(
        [
            splat.means,
            np.zeros_like(splat.means),
            (splat.colors - 0.5) / SH_C0,
            splat.sh_rest.transpose(0, 2, 1).reshape(len(splat), -1),
            np.log(opacities / (1 - opacities))[:, None],
            np.log(splat.scales),
            splat.quats,
        ],
        axis=1,
    ).astype("<f4")
    rest = [f"f_rest_{i}" for i in range(3 * splat.sh_rest.shape[1])]
    vertices = columns.view([(name, "<f4") for name in (*BEFORE_REST, *rest, *AFTER_REST)])[:, 0]
    comments = [f"rasterize_mode {rasterize_mode}", f"eps2d {eps2d:g}"]
    data = PlyData([PlyElement.describe(vertices, "vertex")], text=False, byte_order="<", comments=comments)
    data.write(target if not isinstance(target, Path) else str(target))


def read_ply(source: Path | BinaryIO) -> SplatFile:
    """Read a PLY in the 3DGS layout, ours or another's, of any degree from 0 to 3.

    Raises:
        AssetError: not a PLY, not of this layout, or values that are not finite.
    """
    try:
        data = PlyData.read(source if not isinstance(source, Path) else str(source), mmap=False)
        vertices = data["vertex"]
        means = _columns(vertices, "x", "y", "z")
        quats = _columns(vertices, "rot_0", "rot_1", "rot_2", "rot_3").astype(np.float64)
        log_scales = _columns(vertices, "scale_0", "scale_1", "scale_2")
        logits = _columns(vertices, "opacity")[:, 0].astype(np.float64)
        coefficients = _columns(vertices, "f_dc_0", "f_dc_1", "f_dc_2")
        sh_rest = _read_rest(vertices)
    except (PlyParseError, OSError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise AssetError(f"{source} is not a splat in the PLY layout of 3DGS: {error}") from error
    with np.errstate(over="ignore"):
        splat = Gaussians(
            means=means,
            quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True).clip(1e-12)).astype(np.float32),
            scales=np.exp(log_scales),
            opacities=(1 / (1 + np.exp(-logits))).astype(np.float32),
            colors=(0.5 + SH_C0 * coefficients).clip(0, 1).astype(np.float32),
            sh_rest=sh_rest,
        )
    if not splat.is_finite():
        raise AssetError(f"{source} holds values that are not finite")
    header = "\n".join(data.comments)
    mode = re.search(r"^rasterize_mode (antialiased|classic)$", header, re.MULTILINE)
    eps2d = re.search(r"^eps2d ([0-9.e+-]+)$", header, re.MULTILINE)
    return SplatFile(splat, mode and mode.group(1), eps2d and float(eps2d.group(1)))


def _read_rest(vertices: PlyElement) -> np.ndarray:
    """[N, K, 3] of the coefficients above degree 0."""
    count = sum(property.name.startswith("f_rest_") for property in vertices.properties)
    if count not in [3 * rest_count(degree) for degree in range(MAX_SH_DEGREE + 1)]:
        raise ValueError(f"{count} properties f_rest_*, which fits no degree of spherical harmonics from 0 to 3")
    if not count:
        return np.zeros((len(vertices.data), 0, 3), np.float32)
    planes = _columns(vertices, *(f"f_rest_{i}" for i in range(count)))
    return np.ascontiguousarray(planes.reshape(len(planes), 3, -1).transpose(0, 2, 1))


def _columns(vertices: PlyElement, *names: str) -> np.ndarray:
    """[N, len(names)] float32."""
    return np.stack([np.asarray(vertices[name], np.float32) for name in names], 1)
