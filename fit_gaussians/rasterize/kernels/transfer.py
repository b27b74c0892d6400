"""Between torch's arrays of Gaussians, one row each, and the planes that the kernels work on."""

from numba import float32

from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import (
    MEAN_X,
    NUM_GAUSSIAN_PLANES,
    OPACITY,
    QUAT_W,
    RED,
    SCALE_X,
)
from fit_gaussians.rasterize.kernels.simd import LANES


@inlined
def _copy_triples(rows, planes, first_plane):
    flat = rows.reshape(-1)  # with a known stride LLVM makes vectors of this
    for g in range(rows.shape[0]):
        planes[first_plane, g] = flat[3 * g]
        planes[first_plane + 1, g] = flat[3 * g + 1]
        planes[first_plane + 2, g] = flat[3 * g + 2]


@inlined
def _copy_quadruples(rows, planes, first_plane):
    flat = rows.reshape(-1)
    for g in range(rows.shape[0]):
        planes[first_plane, g] = flat[4 * g]
        planes[first_plane + 1, g] = flat[4 * g + 1]
        planes[first_plane + 2, g] = flat[4 * g + 2]
        planes[first_plane + 3, g] = flat[4 * g + 3]


@kernel
def load_gaussians(means, quats, scales, opacities, colors, planes):
    """Fill the Gaussians' planes [14, P]. Returns the first plane that holds NaN or infinity, or -1."""
    count = means.shape[0]
    padded_count = (count + LANES - 1) // LANES * LANES
    _copy_triples(means, planes, MEAN_X)
    _copy_quadruples(quats, planes, QUAT_W)
    _copy_triples(scales, planes, SCALE_X)
    for g in range(count):
        planes[OPACITY, g] = opacities[g]
    _copy_triples(colors, planes, RED)
    for k in range(NUM_GAUSSIAN_PLANES):
        planes[k, count:padded_count] = float32(0)  # of opacity 0, so never drawn
        zero = float32(0)
        for g in range(count):
            zero += planes[k, g] * float32(0)  # NaN if the number is not finite
        if zero != 0:  # NaN too
            return k
    return -1


@inlined
def _add_triples(planes, first_plane, rows):
    flat = rows.reshape(-1)
    for g in range(rows.shape[0]):
        flat[3 * g] += planes[first_plane, g]
        flat[3 * g + 1] += planes[first_plane + 1, g]
        flat[3 * g + 2] += planes[first_plane + 2, g]


@inlined
def _add_quadruples(planes, first_plane, rows):
    flat = rows.reshape(-1)
    for g in range(rows.shape[0]):
        flat[4 * g] += planes[first_plane, g]
        flat[4 * g + 1] += planes[first_plane + 1, g]
        flat[4 * g + 2] += planes[first_plane + 2, g]
        flat[4 * g + 3] += planes[first_plane + 3, g]


@kernel
def add_gradients(planes, v_means, v_quats, v_scales, v_opacities, v_colors):
    """Add the gradients' planes [14, P] to torch's arrays."""
    _add_triples(planes, MEAN_X, v_means)
    _add_quadruples(planes, QUAT_W, v_quats)
    _add_triples(planes, SCALE_X, v_scales)
    for g in range(len(v_opacities)):
        v_opacities[g] += planes[OPACITY, g]
    _add_triples(planes, RED, v_colors)
