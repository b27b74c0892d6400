"""Between torch's arrays of Gaussians, one row each, and the planes that the kernels work on."""

from numba import float32

from fit_gaussians.rasterize.jit import inlined, kernel
from fit_gaussians.rasterize.layout import (
    CENTER_X_GRADIENT,
    MEAN_X,
    NUM_GAUSSIAN_PLANES,
    OPACITY,
    QUAT_W,
    RED,
    SCALE_X,
)
from fit_gaussians.rasterize.simd import LANES


@inlined
def _copy_to_planes(rows, planes, first_plane):
    for g in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            planes[first_plane + k, g] = rows[g, k]


@kernel
def load_gaussians(means, quats, scales, opacities, colors, planes):
    """Fill the Gaussians' planes [14, P]. Returns the first plane that holds NaN or infinity, or -1."""
    count = means.shape[0]
    padded_count = (count + LANES - 1) // LANES * LANES
    _copy_to_planes(means, planes, MEAN_X)
    _copy_to_planes(quats, planes, QUAT_W)
    _copy_to_planes(scales, planes, SCALE_X)
    planes[OPACITY, :count] = opacities
    _copy_to_planes(colors, planes, RED)
    for k in range(NUM_GAUSSIAN_PLANES):
        planes[k, count:padded_count] = float32(0)  # of opacity 0, so never drawn
        zero = float32(0)
        for g in range(count):
            zero += planes[k, g] * float32(0)  # NaN if the number is not finite
        if zero != 0:  # NaN too
            return k
    return -1


@inlined
def _add_from_planes(planes, first_plane, rows):
    for g in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[g, k] += planes[first_plane + k, g]


@kernel
def add_gradients(planes, v_means, v_quats, v_scales, v_opacities, v_colors, v_means2d):
    """Add the gradients' planes [16, P] to torch's arrays; v_means2d may be empty."""
    _add_from_planes(planes, MEAN_X, v_means)
    _add_from_planes(planes, QUAT_W, v_quats)
    _add_from_planes(planes, SCALE_X, v_scales)
    for g in range(len(v_opacities)):
        v_opacities[g] += planes[OPACITY, g]
    _add_from_planes(planes, RED, v_colors)
    _add_from_planes(planes, CENTER_X_GRADIENT, v_means2d)
