"""What a step of a fit does beside rasterizing, on the CPU: the truth over a background, the loss on alpha, Adam.

`fit_gaussians/gpu/fit.py` does the same in torch.
"""

import numpy as np
from numba import float32, float64

from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import MEAN_X, OPACITY, RED, SCALE_X
from fit_gaussians.rasterize.kernels.simd import (
    LANES,
    absolute,
    broadcast,
    exp2,
    load_part,
    load_row,
    maximum,
    minimum,
    select,
    sqrt,
    store_part,
    store_row,
    sum_lanes,
)

LOG2_E = float32(np.log2(np.e))
LOGIT_LIMIT = float32(80)  # beyond it 2^-t leaves the range of exp2; the opacity is 0 or 1 long before


@kernel
def compose(pixels, left, top, background, truth, alpha):
    """Fill truth [3, H, W] and alpha [H, W] from a window of pixels [4, …, …] uint8, straight alpha."""
    height, width = alpha.shape
    scale = float32(1 / 255)
    for y in range(height):
        for x in range(width):
            opaque = float32(pixels[3, top + y, left + x]) * scale
            alpha[y, x] = opaque
            for channel in range(3):
                color = float32(pixels[channel, top + y, left + x]) * scale
                truth[channel, y, x] = color * opaque + (float32(1) - opaque) * background[channel]


@kernel
def alpha_loss(alpha, truth, weight, gradient):
    """weight x the mean |alpha - truth| of [H, W]; fills its gradient."""
    count = alpha.size
    alpha, truth, gradient = alpha.reshape(-1), truth.reshape(-1), gradient.reshape(-1)
    step = weight / float32(count)
    total = float64(0)
    for i in range(0, count, LANES):
        left = count - i
        difference = load_part(alpha, i, left) - load_part(truth, i, left)
        total += float64(sum_lanes(absolute(difference)))
        store_part(gradient, i, select(difference > 0.0, step, select(difference < 0.0, -step, 0.0)), left)
    return float64(step) * total


@inlined
def _moved(raw, first, second, plane, i, gradient, rate, step):
    """The parameters after a step of Adam (Kingma & Ba 2015, algorithm 1), and its moments stored.

    The parameters count in units of their `rate`, so that Adam's epsilon means the same for all.
    """
    beta_1, beta_2, epsilon, learning_rate, correction_1, correction_2 = step
    gradient = gradient * rate
    m = load_row(first, plane, i) * beta_1 + gradient * (float32(1) - beta_1)
    v = load_row(second, plane, i) * beta_2 + gradient * gradient * (float32(1) - beta_2)
    store_row(first, plane, i, m)
    store_row(second, plane, i, v)
    move = m * (learning_rate * rate / correction_1) / (sqrt(v) / correction_2 + epsilon)
    return load_row(raw, plane, i) - move


@inlined
def _exp(a):
    return exp2(a * LOG2_E)


@inlined
def _sigmoid(a):
    held = minimum(maximum(a, broadcast(-LOGIT_LIMIT)), broadcast(LOGIT_LIMIT))
    return 1.0 / (1.0 + exp2(held * -LOG2_E))


@kernel
def activate(raw, count, gaussians):
    """Fill the Gaussians' planes [14, P] from the parameters [14 + …, P]."""
    for i in range(0, count, LANES):
        for plane in range(MEAN_X, SCALE_X):
            store_row(gaussians, plane, i, load_row(raw, plane, i))
        for plane in range(SCALE_X, OPACITY):
            store_row(gaussians, plane, i, _exp(load_row(raw, plane, i)))
        store_row(gaussians, OPACITY, i, _sigmoid(load_row(raw, OPACITY, i)))
        for plane in range(RED, RED + 3):
            store_row(gaussians, plane, i, load_row(raw, plane, i))


@kernel
def adam_step(raw, first, second, gaussians, gradients, rates, step, log_scale_low, log_scale_high, count):
    """Move the parameters [14, P] and what they activate to. Returns whether all parameters are finite.

    Args:
        raw: parameters: means, quats, logarithms of scales, logits of opacities, colours.
        first, second: Adam's moments, as raw.
        gaussians: planes [14, P] of what they activate to.
        gradients: planes [14, P] of the gradients by `gaussians`.
        rates: [14] learning rate of each plane.
        step: Adam's betas, epsilon, the rate's decay and the two corrections of the moments' bias.
    """
    check = broadcast(float32(0))
    for i in range(0, count, LANES):
        for plane in range(MEAN_X, SCALE_X):
            value = _moved(raw, first, second, plane, i, load_row(gradients, plane, i), rates[plane], step)
            store_row(raw, plane, i, value)
            store_row(gaussians, plane, i, value)
            check = check + value * 0.0
        for plane in range(SCALE_X, OPACITY):
            gradient = load_row(gradients, plane, i) * load_row(gaussians, plane, i)
            value = _moved(raw, first, second, plane, i, gradient, rates[plane], step)
            check = check + value * 0.0  # before the bounds, which would swallow NaN
            value = minimum(maximum(value, broadcast(log_scale_low)), broadcast(log_scale_high))
            store_row(raw, plane, i, value)
            store_row(gaussians, plane, i, _exp(value))
        opacity = load_row(gaussians, OPACITY, i)
        gradient = load_row(gradients, OPACITY, i) * opacity * (1.0 - opacity)
        value = _moved(raw, first, second, OPACITY, i, gradient, rates[OPACITY], step)
        store_row(raw, OPACITY, i, value)
        store_row(gaussians, OPACITY, i, _sigmoid(value))
        check = check + value * 0.0
        for plane in range(RED, RED + 3):
            value = _moved(raw, first, second, plane, i, load_row(gradients, plane, i), rates[plane], step)
            check = check + value * 0.0
            value = minimum(maximum(value, broadcast(float32(0))), broadcast(float32(1)))
            store_row(raw, plane, i, value)
            store_row(gaussians, plane, i, value)
    return sum_lanes(check) == 0


@kernel
def adam_step_of_harmonics(coefficients, first, second, gradients, rate, step, planes, count):
    """Move the coefficients of harmonics: planes 3 to `planes` of [3 + 3 K, P]; the constant colour comes first.

    Returns whether all of them are finite.
    """
    check = broadcast(float32(0))
    for plane in range(3, planes):
        for i in range(0, count, LANES):
            value = _moved(coefficients, first, second, plane, i, load_row(gradients, plane, i), rate, step)
            store_row(coefficients, plane, i, value)
            check = check + value * 0.0
    return sum_lanes(check) == 0
