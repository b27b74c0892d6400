"""The numbers of the fit that are not a user's choice (docs/fitting.md tells what was tried), and their schedule."""

from dataclasses import dataclass

from fit_gaussians.recipe.schedule import Schedule
from pipeline.values.splat import SH_C0


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
    sh_rest_share: float = 1 / 20
    """Rate of the coefficients of harmonics of degree 1 and above, as a share of that of degree 0 (as in 3DGS)."""
    sh_ramp: float = 0.2
    """Share of the steps after which each further degree of harmonics comes in; 0: all from the start."""
    relocate_until: float = 0.8
    """Share of the steps after which no more Gaussians are relocated, so that the last ones settle."""
    transparency_weight: float = 0.01
    """Of the mean opacity and the mean scale in the loss, where Gaussians are relocated (as in 3DGS as MCMC): what no
    view needs fades, dies and goes to where it is needed."""
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
            "sh_rest": self.colors_rate / SH_C0 * self.sh_rest_share,
        }

    def sh_degree_at(self, progress: float, degree: int) -> int:
        """The degree of harmonics in use when `progress` (0..1) of the steps are done, of at most `degree`."""
        return min(degree, int(progress / self.sh_ramp)) if self.sh_ramp else degree

    def relocates_at(self, schedule: Schedule, every: int) -> bool:
        """Whether Gaussians are relocated now, if `every` steps lie between relocations (0: never)."""
        return every > 0 and schedule.steps % every == 0 and schedule.progress < self.relocate_until

    def decay(self, progress: float) -> float:
        """Factor on every rate when `progress` (0..1) of the steps are done."""
        return self.final_rate**progress
