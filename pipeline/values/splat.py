"""What a splat is, after activation: the dataclass that rows, files, the rasterizer and the metrics speak."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ATTRIBUTES = ("means", "quats", "scales", "opacities", "colors")
"""What every splat has, whatever its degree: the arguments of `rasterize`."""
MAX_SH_DEGREE = 3
SH_C0 = 0.28209479177387814
"""The constant harmonic, 1 / (2 sqrt(pi)): in a 3DGS file, colour = 0.5 + SH_C0 * f_dc."""

NO_REST = np.zeros((0, 0, 3), np.float32)
"""Stands for [N, 0, 3] where a splat of degree 0 is made without coefficients."""


@dataclass(frozen=True)
class Gaussians:
    """N anisotropic Gaussians as numpy float32 arrays, all after activation.

    Seen from a camera in the direction d, a Gaussian has the colour max(0, colors + Σ_k Y_k(d) sh_rest[k]), with the
    real spherical harmonics Y_k of degree 1 and above (`fit_gaussians/rasterize/harmonics.py`).

    Attributes:
        means: [N, 3] centres, world frame.
        quats: [N, 4] rotations from the Gaussian's axes to the world, wxyz; unit up to rounding.
        scales: [N, 3] standard deviations along the Gaussian's axes, linear, > 0.
        opacities: [N] in (0, 1).
        colors: [N, 3] sRGB in [0, 1]: the colour without its view-dependent part.
        sh_rest: [N, K, 3] coefficients, K = 0, 3, 8 or 15 for the degrees 0 to 3; by default of degree 0.
    """

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    colors: np.ndarray
    sh_rest: np.ndarray = field(default_factory=lambda: NO_REST)

    def __post_init__(self) -> None:
        n = len(self.means)
        if self.sh_rest is NO_REST:
            object.__setattr__(self, "sh_rest", np.zeros((n, 0, 3), np.float32))
        shapes = {"means": (n, 3), "quats": (n, 4), "scales": (n, 3), "opacities": (n,), "colors": (n, 3)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if self.sh_rest.shape[::2] != (n, 3) or self.sh_rest.shape[1] not in map(rest_count, range(MAX_SH_DEGREE + 1)):
            raise ValueError(f"sh_rest has shape {self.sh_rest.shape}, expected ({n}, 0 or 3 or 8 or 15, 3)")

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Gaussians":
        """The splat of a row of the `gaussians` table, or of a joined one; tables without `sh_rest` are of degree 0."""
        rest = row.get("sh_rest")
        rest = NO_REST if rest is None else rest.reshape(len(row["means"]), -1, 3)
        return cls(**{name: row[name] for name in ATTRIBUTES}, sh_rest=rest)

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, index: slice | np.ndarray) -> "Gaussians":
        """The Gaussians that a numpy index (slice, mask, integers) picks, in its order."""
        return Gaussians(**{name: array[index] for name, array in self.arrays().items()}, sh_rest=self.sh_rest[index])

    @property
    def sh_degree(self) -> int:
        return math.isqrt(1 + self.sh_rest.shape[1]) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of every splat by attribute name; not `sh_rest`."""
        return {name: getattr(self, name) for name in ATTRIBUTES}

    def is_finite(self) -> bool:
        return all(bool(np.isfinite(array).all()) for array in (*self.arrays().values(), self.sh_rest))


def rest_count(degree: int) -> int:
    """How many spherical harmonics of degree 1 to `degree` there are."""
    return (degree + 1) ** 2 - 1
