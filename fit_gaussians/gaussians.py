"""What a splat is, after activation: the dataclass that rows, files, the rasterizer and the metrics speak."""

from dataclasses import dataclass, fields

import numpy as np

ATTRIBUTES = ("means", "quats", "scales", "opacities", "colors")


@dataclass(frozen=True)
class Gaussians:
    """N anisotropic Gaussians of SH degree 0 as numpy float32 arrays, all after activation.

    Attributes:
        means: [N, 3] centres, world frame.
        quats: [N, 4] rotations from the Gaussian's axes to the world, wxyz; unit up to rounding.
        scales: [N, 3] standard deviations along the Gaussian's axes, linear, > 0.
        opacities: [N] in (0, 1).
        colors: [N, 3] sRGB in [0, 1].
    """

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    colors: np.ndarray

    def __post_init__(self):
        n = len(self.means)
        shapes = {"means": (n, 3), "quats": (n, 4), "scales": (n, 3), "opacities": (n,), "colors": (n, 3)}
        for field in fields(self):
            array = getattr(self, field.name)
            if array.shape != shapes[field.name]:
                raise ValueError(f"{field.name} has shape {array.shape}, expected {shapes[field.name]}")

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, index) -> "Gaussians":
        """The Gaussians that a numpy index (slice, mask, integers) picks, in its order."""
        return Gaussians(*(getattr(self, name)[index] for name in ATTRIBUTES))

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by attribute name: the columns of the `gaussians` table."""
        return {name: getattr(self, name) for name in ATTRIBUTES}

    def is_finite(self) -> bool:
        return all(bool(np.isfinite(array).all()) for array in self.arrays().values())
