"""A splat made small for a column store: canonical form, Morton order, rounded mantissas.

The values stay plain float32 for every reader; what compresses them is that neighbours in the list are neighbours in
space and that the low bits of every value are zero (stored BYTE_STREAM_SPLIT + zstd).
"""

import numpy as np

from pipeline.values.quaternions import multiply, with_positive_w
from pipeline.values.splat import Gaussians

MEANS_STEP = 2.0**-13
"""World units: 1/32 of a pixel when the object fills 256 pixels."""
QUATS_STEP = 2.0**-7
COLORS_STEP = 2.0**-8
SH_REST_STEP = 2.0**-6
OPACITIES_STEP = 2.0**-8
SCALES_MANTISSA_BITS = 5
"""Relative step of at most 1/32: scales span decades."""
MIN_SCALE = 1e-6
MORTON_BITS = 10
"""Per axis; finer than the spacing of the Gaussians that we fit."""


def prepare_for_storage(splat: Gaussians) -> Gaussians:
    """The same splat up to rounding, in canonical form and Morton order."""
    splat = canonical(splat)
    splat = splat[morton_order(splat.means)]
    return rounded(splat)


def canonical(splat: Gaussians) -> Gaussians:
    """One of the 24 ways to write each Gaussian: scales descending, and of the four quaternions (two signs each) that
    then remain the one with the largest w, which is positive."""
    order = np.argsort(-splat.scales, axis=1, kind="stable")
    quats = _permute_axes(splat.quats.astype(np.float64), order)
    # half turns about the Gaussian's own axes change nothing: q (1, i, j, k) has each component of q once as its w
    w, x, y, z = quats.T
    turned = np.stack([quats, np.stack([-x, w, z, -y], 1), np.stack([-y, -z, w, x], 1), np.stack([-z, y, -x, w], 1)])
    best = np.abs(turned[:, :, 0]).argmax(0)
    quats = with_positive_w(turned[best, np.arange(len(quats))])
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return Gaussians(
        splat.means,
        quats.astype(np.float32),
        np.take_along_axis(splat.scales, order, 1),
        splat.opacities,
        splat.colors,
        splat.sh_rest,
    )


def morton_order(means: np.ndarray) -> np.ndarray:
    """[N] indices that sort points [N, 3] along a Z-order curve through their bounding box."""
    if not len(means):
        return np.zeros(0, np.int64)
    low, extent = means.min(0), max(float(np.ptp(means, 0).max()), 1e-12)
    cells = ((means - low) / extent * (2**MORTON_BITS - 1)).astype(np.uint64)
    code = np.zeros(len(means), np.uint64)
    for bit in range(MORTON_BITS):
        for axis in range(3):
            code |= ((cells[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(3 * bit + axis)
    return np.argsort(code, kind="stable")


def rounded(splat: Gaussians) -> Gaussians:
    """Every value on a grid of powers of two, inside the range that the table promises."""
    return Gaussians(
        means=_to_grid(splat.means, MEANS_STEP),
        quats=_to_grid(splat.quats, QUATS_STEP),
        scales=np.maximum(_round_mantissa(splat.scales, SCALES_MANTISSA_BITS), np.float32(MIN_SCALE)),
        opacities=_to_grid(splat.opacities, OPACITIES_STEP).clip(OPACITIES_STEP, 1 - OPACITIES_STEP),
        colors=_to_grid(splat.colors, COLORS_STEP).clip(0, 1),
        sh_rest=_to_grid(splat.sh_rest, SH_REST_STEP),
    )


def _permute_axes(quats: np.ndarray, order: np.ndarray) -> np.ndarray:
    """[N, 4] rotations whose i-th axis is the old `order[:, i]`-th one (negated once where that would mirror)."""
    turns = {}
    half = np.sqrt(0.5)
    turns[0, 1, 2] = (1.0, 0.0, 0.0, 0.0)
    turns[1, 2, 0] = (0.5, 0.5, 0.5, 0.5)
    turns[2, 0, 1] = (0.5, -0.5, -0.5, -0.5)
    turns[1, 0, 2] = (half, 0.0, 0.0, half)
    turns[0, 2, 1] = (half, half, 0.0, 0.0)
    turns[2, 1, 0] = (half, 0.0, half, 0.0)
    result = np.empty_like(quats)
    for permutation, turn in turns.items():
        chosen = (order == permutation).all(1)
        result[chosen] = multiply(quats[chosen], np.array(turn))
    return result


def _to_grid(values: np.ndarray, step: float) -> np.ndarray:
    return (np.round(values.astype(np.float64) / step) * step + 0.0).astype(np.float32)  # + 0.0: no negative zeros


def _round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    mantissa, exponent = np.frexp(values.astype(np.float32))
    return np.ldexp(np.round(mantissa * 2 ** (bits + 1)) / 2 ** (bits + 1), exponent).astype(np.float32)
