"""The numbers of the fit that are not a user's choice (docs/fitting.md tells what was tried), and their schedule."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Learning rates at the start (see `parameters.py` for what they move), their decay, and Adam's other numbers."""

    means_rate: float = 4.8e-4
    """In units of the object's bounding box, whose diagonal is 1."""
    quats_rate: float = 1.6e-2
    scales_rate: float = 1.1e-1
    """Of the logarithm."""
    opacities_rate: float = 1e-1
    """Of the logit."""
    colors_rate: float = 1.2e-2
    final_rate: float = 0.1
    """Share of each rate that is left at the last step; the decay is exponential."""
    betas: tuple[float, float] = (0.8, 0.99)
    epsilon: float = 1e-15

    def rates(self) -> dict[str, float]:
        return {
            "means": self.means_rate,
            "quats": self.quats_rate,
            "scales": self.scales_rate,
            "opacities": self.opacities_rate,
            "colors": self.colors_rate,
        }

    def decay(self, progress: float) -> float:
        """Factor on every rate when `progress` (0..1) of the steps are done."""
        return self.final_rate**progress
