"""The optimiser's loop for one object on one CPU thread, without torch: kernels over planes from end to end.

The same recipe as `gpu/fit.py`, which is its oracle in the tests; written by hand because a step of ours takes a few
milliseconds, of which torch's many small calls would be a third, and torch alone fills 180 MB of a worker.
"""

import numpy as np

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.parameters import PlaneParameters
from fit_gaussians.rasterize.kernels.fit_step import alpha_loss, compose
from fit_gaussians.rasterize.kernels.loss_kernel import loss_and_gradient
from fit_gaussians.rasterize.kernels.view import camera_arrays
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.recipe.schedule import Schedule
from fit_gaussians.recipe.view_order import ViewOrder
from fit_gaussians.views import Views
from pipeline.values.splat import Gaussians


def fit_on_cpu(
    initial: Gaussians,
    views: Views,
    seed: int,
    config: FitConfig,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
) -> tuple[Gaussians, int]:
    """Fit a splat to the training views of one object.

    Args:
        initial: the Gaussians to start from.
        views: the training views.
        seed: for the order of the views and their backgrounds.
        config: `iterations`, `early_stop`, `sh_degree`, `rasterize_mode`, `eps2d`, `relocate_every` and the losses'
            weights are used.
        recipe: the optimiser's constants.

    Returns:
        The fitted splat, and the steps made: fewer than `iterations` where `early_stop` ended the fit. The splat holds
        values that are not finite where the fit diverged.
    """
    parameters = PlaneParameters(initial, config.sh_degree, recipe)
    crops = _Crops(views)
    order, rng = ViewOrder(seed, len(views)), np.random.default_rng(seed)
    schedule = Schedule(config.iterations, len(views), config.early_stop)
    antialiased = config.rasterize_mode == "antialiased"
    while not schedule.done:
        index, background = order.next()
        crop = crops.take(index, background)
        degree = recipe.sh_degree_at(schedule.progress, config.sh_degree)
        drawn = parameters.shaded(crop.camera, degree)
        drawn.forward(
            parameters.count, crop.camera, crop.size, background[:, None, None], antialiased, config.eps2d,
            crop.image, crop.alpha,
        )  # fmt: skip
        ssim_weight = config.ssim_weight if schedule.steps % config.ssim_every == 0 else 0.0
        loss = loss_and_gradient(crop.image, crop.truth, crop.v_image, ssim_weight)
        loss += alpha_loss(crop.alpha, crop.truth_alpha, np.float32(config.alpha_weight), crop.v_alpha)
        drawn.backward(crop.image, crop.alpha, crop.v_image, crop.v_alpha)
        if config.relocate_every:
            parameters.fade(recipe.transparency_weight)
        if not parameters.step(crop.camera, degree, recipe.decay(schedule.progress)):
            return parameters.splat(), schedule.steps  # not finite, and nothing could make it finite again
        schedule.step(loss)
        if recipe.relocates_at(schedule, config.relocate_every):
            parameters.relocate(rng)
    return parameters.splat(), schedule.steps


class _Crop:
    """One view, cut to the rectangle that holds the object: the rest is background, which only the loss on alpha
    would see."""

    def __init__(self, camera: np.ndarray, size: tuple[int, int], buffer: np.ndarray):
        width, height = self.size = size
        self.camera = camera
        pixels = width * height
        planes = [buffer[k * pixels : (k + 1) * pixels].reshape(height, width) for k in (9, 10, 11)]
        self.alpha, self.truth_alpha, self.v_alpha = planes
        images = [buffer[3 * k * pixels : 3 * (k + 1) * pixels].reshape(3, height, width) for k in range(3)]
        self.image, self.truth, self.v_image = images


class _Crops:
    def __init__(self, views: Views):
        self.pixels = views.pixels
        self.rectangles = views.object_rectangles()
        shift = np.array([[0, 0, left, top] for left, top, _, _ in self.rectangles], np.float32)
        self.cameras = camera_arrays(views.world_to_camera, views.intrinsics - shift)
        self.buffer = np.empty(12 * views.width * views.height, np.float32)

    def take(self, index: int, background: np.ndarray) -> _Crop:
        """The view over the background; it uses the buffer of the one before."""
        left, top, right, bottom = self.rectangles[index]
        crop = _Crop(self.cameras[index], (right - left, bottom - top), self.buffer)
        compose(self.pixels[index], left, top, background, crop.truth, crop.truth_alpha)
        return crop
