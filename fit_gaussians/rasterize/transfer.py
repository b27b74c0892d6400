"""Between torch's arrays of Gaussians, one row each, and the planes that the kernels work on."""

import numpy as np
from numba import float32, uint32

from fit_gaussians.rasterize.jit import inlined, kernel
from fit_gaussians.rasterize.layout import (
    GRAD_BLUE,
    GRAD_CENTER_X,
    GRAD_CENTER_Y,
    GRAD_GREEN,
    GRAD_RED,
    MEAN_X,
    NUM_GAUSSIAN_PLANES,
    NUM_SUM_PLANES,
    OPACITY,
    QUAT_W,
    SCALE_X,
)
from fit_gaussians.rasterize.simd import LANES

EXPONENT = uint32(0x7F800000)  # all set in NaN and infinity


@inlined
def _copy_to_planes(rows, planes, first_plane):
    """Transpose rows [N, K] into planes[first_plane : first_plane + K]; true if all are finite."""
    bits = rows.view(np.uint32)
    not_finite = uint32(0)
    for g in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            planes[first_plane + k, g] = rows[g, k]
            not_finite |= uint32(bits[g, k] & EXPONENT == EXPONENT)
    return not_finite == 0


@kernel
def load_gaussians(means, quats, scales, opacities, colors, planes):
    """Fill the Gaussians' planes [11, P]. Returns the number of the first argument that is not finite, or -1."""
    count = means.shape[0]
    padded_count = (count + LANES - 1) // LANES * LANES
    for plane in range(NUM_GAUSSIAN_PLANES):  # of opacity 0, so never drawn
        planes[plane, count:padded_count] = float32(0)
    finite = (
        _copy_to_planes(means, planes, MEAN_X),
        _copy_to_planes(quats, planes, QUAT_W),
        _copy_to_planes(scales, planes, SCALE_X),
        _copy_to_planes(opacities.reshape(count, 1), planes, OPACITY),
    )
    for k in range(4):
        if not finite[k]:
            return k
    color_bits = colors.view(np.uint32)
    not_finite = uint32(0)
    for g in range(count):
        for k in range(3):
            not_finite |= uint32(color_bits[g, k] & EXPONENT == EXPONENT)
    return -1 if not_finite == 0 else 4


@kernel
def spread_sums(gradients, order, visible, count, sums, v_colors):
    """Take the gradients [visible, 16] that blending left back to the input's order.

    Fills the sums [6, P] that the projection needs; adds to v_colors [N, 3].
    """
    padded_count = (count + LANES - 1) // LANES * LANES
    for plane in range(NUM_SUM_PLANES):
        sums[plane, :padded_count] = float32(0)
    for i in range(visible):
        g = order[i]
        for plane in range(NUM_SUM_PLANES):
            sums[plane, g] = gradients[i, plane]
        v_colors[g, 0] += gradients[i, GRAD_RED]
        v_colors[g, 1] += gradients[i, GRAD_GREEN]
        v_colors[g, 2] += gradients[i, GRAD_BLUE]


@inlined
def _add_from_planes(planes, first_plane, rows):
    for g in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[g, k] += planes[first_plane + k, g]


@kernel
def add_gradients(planes, v_means, v_quats, v_scales, v_opacities, v_means2d):
    """Add the gradients' planes [13, P] to torch's arrays; v_means2d may be empty."""
    _add_from_planes(planes, MEAN_X, v_means)
    _add_from_planes(planes, QUAT_W, v_quats)
    _add_from_planes(planes, SCALE_X, v_scales)
    for g in range(len(v_opacities)):
        v_opacities[g] += planes[OPACITY, g]
    for g in range(len(v_means2d)):
        v_means2d[g, 0] += planes[GRAD_CENTER_X, g]
        v_means2d[g, 1] += planes[GRAD_CENTER_Y, g]
