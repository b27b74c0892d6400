"""Blending of the Gaussians in each tile, front to back: the forward pass.

3DGS, eq. 3: the colour of a pixel is Σ cᵢ αᵢ Tᵢ + background T, with Tᵢ = Π_{j<i} (1 - αⱼ).
"""

import numpy as np
from numba import float32

from fit_gaussians.rasterize.conventions import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from fit_gaussians.rasterize.kernels.binning import count_tiles
from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import QUAD_XX, RECORD_BLUE, RECORD_GREEN, RECORD_RED
from fit_gaussians.rasterize.kernels.simd import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    LANES,
    absolute,
    and_not,
    broadcast,
    exp2,
    load,
    load_block,
    minimum,
    prefetch,
    select,
    store,
    store_block,
)
from fit_gaussians.rasterize.kernels.tiles import (
    AHEAD,
    FORWARD_COLOR,
    PLANE,
    ROW_OF_BLOCKS,
    TRANSMITTANCE,
    WIDE,
    blocks_of_box,
    blocks_of_span,
    find_spans,
    offsets_from_center,
    row_terms,
    tile_bounds,
)

LOG2_ALPHA_MIN = float32(np.log2(ALPHA_MIN))
ALPHA_LIMIT = float32(ALPHA_MAX)
STOP = float32(TRANSMITTANCE_MIN)


@inlined
def alpha_of_block(dx, quad_xx, linear, constant, transmittance):
    """Alpha of a block before the clamp, and the mask of the pixels in which the Gaussian is to be blended."""
    exponent = (quad_xx * dx + linear) * dx + constant
    return exp2(exponent), (exponent >= LOG2_ALPHA_MIN) & (transmittance > 0.0)


@inlined
def pass_through(transmittance, alpha, blended):
    """The weight of the Gaussian and the transmittance behind it; blending stops where that would be too small."""
    weight = transmittance * alpha
    behind = transmittance - weight
    stopped = blended & (behind <= STOP)
    blended = and_not(blended, stopped)
    weight = select(blended, weight, 0.0)
    behind = select(stopped, -transmittance, select(blended, behind, transmittance))
    return weight, behind, blended


@inlined
def blend_block(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    """Blend a Gaussian into the block at `at`."""
    transmittance = load(buffer, TRANSMITTANCE + at)
    alpha, blended = alpha_of_block(dx, quad_xx, linear, constant, transmittance)
    weight, behind, _ = pass_through(transmittance, minimum(alpha, broadcast(ALPHA_LIMIT)), blended)
    store(buffer, TRANSMITTANCE + at, behind)
    store(buffer, FORWARD_COLOR + at, load(buffer, FORWARD_COLOR + at) + weight * red)
    store(buffer, FORWARD_COLOR + PLANE + at, load(buffer, FORWARD_COLOR + PLANE + at) + weight * green)
    store(buffer, FORWARD_COLOR + 2 * PLANE + at, load(buffer, FORWARD_COLOR + 2 * PLANE + at) + weight * blue)


@inlined
def _blend_gaussian(records, g, bounds, spans, buffer):
    left, right, top, bottom = blocks_of_box(records, g, bounds)
    first_dx, dy = offsets_from_center(records, g, bounds, left, top)
    quad_xx, red = broadcast(records[g, QUAD_XX]), broadcast(records[g, RECORD_RED])
    green, blue = broadcast(records[g, RECORD_GREEN]), broadcast(records[g, RECORD_BLUE])
    is_wide = right - left >= WIDE
    if is_wide:
        find_spans(records, g, top, bottom, bounds, spans)
    for row in range(top, bottom + 1):
        first, last = left, right
        if is_wide:
            first, last = blocks_of_span(spans, row - top, left, right)
        linear, constant = row_terms(records, g, dy)
        dx = first_dx + float32((first - left) * BLOCK_WIDTH)
        at = row * ROW_OF_BLOCKS + first * LANES
        for _ in range(first, last + 1):
            blend_block(buffer, at, dx, quad_xx, linear, constant, red, green, blue)
            dx = dx + float32(BLOCK_WIDTH)
            at += LANES
        dy = dy + float32(BLOCK_HEIGHT)


@kernel
def blend(records, tile_starts, tile_lists, width, height, background, spans, buffer, image, alpha):
    """Fill image [3, H, W] and alpha [H, W] over a background [3, H, W] or [3, 1, 1]."""
    image, alpha, background_is_color = image.reshape(-1), alpha.reshape(-1), background.shape[2] == 1
    background = background.reshape(-1)
    for tile in range(count_tiles(width, height)):
        bounds = tile_bounds(tile, width, height)
        buffer[:PLANE] = float32(1)
        buffer[PLANE : 4 * PLANE] = float32(0)
        last = tile_starts[tile + 1] - 1
        for entry in range(tile_starts[tile], last + 1):
            prefetch(records, tile_lists[min(entry + AHEAD, last)])
            _blend_gaussian(records, tile_lists[entry], bounds, spans, buffer)
        _write_tile(buffer, bounds, width, height, background, background_is_color, image, alpha)


@inlined
def _write_tile(buffer, bounds, width, height, background, background_is_color, image, alpha):
    x_first, x_last, y_first, y_last = bounds
    for y in range(y_first, y_last + 1, BLOCK_HEIGHT):
        for x in range(x_first, x_last + 1, BLOCK_WIDTH):
            at = (y - y_first) // BLOCK_HEIGHT * ROW_OF_BLOCKS + (x - x_first) * BLOCK_HEIGHT
            pixel, columns, rows = y * width + x, x_last + 1 - x, y_last + 1 - y
            transmittance = absolute(load(buffer, TRANSMITTANCE + at))
            store_block(alpha, pixel, width, columns, rows, 1.0 - transmittance)
            for channel in range(3):
                color = load(buffer, FORWARD_COLOR + channel * PLANE + at)
                first = channel * width * height + pixel
                if background_is_color:
                    color = color + transmittance * background[channel]
                else:
                    color = color + transmittance * load_block(background, first, width, columns, rows)
                store_block(image, first, width, columns, rows, color)
