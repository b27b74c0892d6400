"""What the CPU's optimiser changes: unconstrained parameters as planes, one row for each number of a Gaussian."""

import math

import numpy as np

from fit_gaussians.rasterize.kernels.fit_step import activate, adam_step, adam_step_of_harmonics
from fit_gaussians.rasterize.kernels.layout import MEAN_X, NUM_GAUSSIAN_PLANES, OPACITY, QUAT_W, RED, SCALE_X
from fit_gaussians.rasterize.kernels.shade import shade, shade_backward
from fit_gaussians.rasterize.kernels.view import CpuView
from fit_gaussians.recipe.activation import SCALE_BOUNDS, logit
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.recipe.relocation import plan_relocation
from pipeline.values.splat import Gaussians, rest_count

PLANES = {
    "means": slice(MEAN_X, QUAT_W),
    "quats": slice(QUAT_W, SCALE_X),
    "scales": slice(SCALE_X, OPACITY),
    "opacities": slice(OPACITY, OPACITY + 1),
    "colors": slice(RED, NUM_GAUSSIAN_PLANES),
}
LOG_SCALE_LOW, LOG_SCALE_HIGH = (np.float32(math.log(scale)) for scale in SCALE_BOUNDS)


class PlaneParameters:
    """N Gaussians as parameters, Adam's moments, and the view in which they are drawn.

    Attributes:
        count: N.
        raw: [14 + 3 K, P] means, quats of any norm, logarithms of scales, logits of opacities, colours, then K
            harmonics of three channels; P is N rounded up to whole vectors.
        moments: Adam's first and second, like raw.
    """

    def __init__(self, splat: Gaussians, sh_degree: int, recipe: Recipe):
        self.count = len(splat)
        self.recipe = recipe
        self.view = CpuView()
        self.view.reserve(self.count)
        columns = self.view.gaussians.shape[1]
        self.raw = np.zeros((NUM_GAUSSIAN_PLANES + 3 * rest_count(sh_degree), columns), np.float32)
        arrays = splat.arrays() | {"scales": np.log(splat.scales), "opacities": logit(splat.opacities)}
        for name, planes in PLANES.items():
            self.raw[planes, : self.count] = arrays[name].reshape(self.count, -1).T
        rest = splat.sh_rest.reshape(self.count, -1).T[: len(self.raw) - NUM_GAUSSIAN_PLANES]
        self.raw[NUM_GAUSSIAN_PLANES : NUM_GAUSSIAN_PLANES + len(rest), : self.count] = rest
        self.raw[:, self.count :] = self.raw[:, self.count - 1 : self.count]  # never drawn, but well-behaved
        self.moments = np.zeros((2, *self.raw.shape), np.float32)
        self.v_coefficients = np.zeros((len(self.raw) - RED, columns), np.float32)
        self.rates = np.zeros(NUM_GAUSSIAN_PLANES, np.float32)
        for name, rate in recipe.rates().items():
            if name in PLANES:
                self.rates[PLANES[name]] = rate
        self.steps = 0
        activate(self.raw, self.count, self.view.gaussians)

    def shaded(self, camera: np.ndarray, degree: int) -> CpuView:
        """The view, its Gaussians in the colours that the camera sees with harmonics up to `degree`."""
        if degree:
            shade(self.raw[RED:], camera, degree, self.count, self.view.gaussians)
        return self.view

    def step(self, camera: np.ndarray, degree: int, decay: float) -> bool:
        """Move everything against the gradients in the view. Returns whether all parameters are finite."""
        view, recipe = self.view, self.recipe
        if degree:
            shade_backward(
                self.raw[RED:], camera, degree, self.count, view.gaussians, view.gradients, self.v_coefficients
            )
            view.gradients[RED:NUM_GAUSSIAN_PLANES] = self.v_coefficients[:3]
        self.steps += 1
        beta_1, beta_2 = recipe.betas
        corrections = 1 - beta_1**self.steps, math.sqrt(1 - beta_2**self.steps)
        step = tuple(np.float32(value) for value in (beta_1, beta_2, recipe.epsilon, decay, *corrections))
        bounds = LOG_SCALE_LOW, LOG_SCALE_HIGH
        finite = adam_step(
            self.raw, *self.moments, view.gaussians, view.gradients, self.rates, step, *bounds, self.count
        )
        if degree:
            rate, planes = np.float32(recipe.rates()["sh_rest"]), 3 + 3 * rest_count(degree)
            rows = self.raw[RED:], self.moments[0, RED:], self.moments[1, RED:]
            finite &= adam_step_of_harmonics(*rows, self.v_coefficients, rate, step, planes, self.count)
        return finite

    def fade(self, weight: float) -> None:
        """Add the gradients of weight x (mean opacity + mean scale) to those in the view."""
        self.view.gradients[OPACITY, : self.count] += np.float32(weight / self.count)
        self.view.gradients[SCALE_X:OPACITY, : self.count] += np.float32(weight / (3 * self.count))

    def relocate(self, rng: np.random.Generator) -> int:
        """Put dead Gaussians in the place of live ones (`relocation.py`); returns how many."""
        plan = plan_relocation(self.view.gaussians[OPACITY, : self.count], rng)
        if plan is None:
            return 0
        self.raw[:, plan.dead] = self.raw[:, plan.sources]
        moved = self.raw[SCALE_X:OPACITY, plan.dead] + np.log(plan.scale_factors)
        for places in (plan.sources, plan.dead):
            self.raw[SCALE_X:OPACITY, places] = np.maximum(moved, LOG_SCALE_LOW)
            self.raw[OPACITY, places] = logit(plan.opacities)
            self.moments[:, :, places] = 0
        activate(self.raw, self.count, self.view.gaussians)
        return len(plan.dead)

    def splat(self) -> Gaussians:
        """The splat as it is now."""
        planes = self.view.gaussians[:, : self.count].copy()
        planes[RED:] = self.raw[RED:NUM_GAUSSIAN_PLANES, : self.count]  # not as the last camera saw them
        arrays = {name: np.ascontiguousarray(planes[rows].T) for name, rows in PLANES.items()}
        arrays["opacities"] = arrays["opacities"][:, 0]
        norm = np.linalg.norm(arrays["quats"], axis=1, keepdims=True)
        arrays["quats"] = arrays["quats"] / np.maximum(norm, np.float32(1e-12))
        rest = self.raw[NUM_GAUSSIAN_PLANES:, : self.count].T.reshape(self.count, -1, 3)
        return Gaussians(**arrays, sh_rest=np.ascontiguousarray(rest))
