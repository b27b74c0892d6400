"""A tile of the image while Gaussians are blended into it: its buffer, and the blocks of it that a Gaussian visits.

A tile's pixels lie in a buffer of float32 planes that stays in the first-level cache, block by block: a block is one
vector of pixels (see `simd.blocks`), so that it is always read and written whole, at the same place. A Gaussian visits
the blocks of its box in the tile or, where that is wide, those that its ellipse touches.
"""

import numpy as np
from numba import float32, int32

from fit_gaussians.rasterize.kernels.binning import TILE_HEIGHT, TILE_WIDTH
from fit_gaussians.rasterize.kernels.jit import inlined
from fit_gaussians.rasterize.kernels.layout import (
    CENTER_X,
    CENTER_Y,
    HALF_HEIGHT_SQUARED,
    LOG_OPACITY,
    QUAD_XY,
    QUAD_YY,
    SHEAR,
    SLOPE,
    X_HIGH,
    X_LOW,
    Y_HIGH,
    Y_LOW,
)
from fit_gaussians.rasterize.kernels.simd import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    LANES,
    broadcast,
    ceil,
    columns_in_block,
    floor,
    lane_numbers,
    maximum,
    minimum,
    rows_in_block,
    sqrt,
    store_row,
)

PLANE = TILE_WIDTH * TILE_HEIGHT
BUFFER_SIZE = 5 * PLANE
ROW_OF_BLOCKS = TILE_WIDTH * BLOCK_HEIGHT
SPANS_SHAPE = (2, TILE_HEIGHT // BLOCK_HEIGHT + LANES)

# Planes of the buffer. Forward: transmittance, then the colour so far. Backward: transmittance, what the rest of the
# pixel contributes to the loss, and the gradient of the pixel's colour. A pixel in which blending has stopped holds
# its transmittance negated.
TRANSMITTANCE, FORWARD_COLOR = 0, PLANE
REST, GRADIENT_COLOR = PLANE, 2 * PLANE

# Records lie in the input's order, all over memory: they are prefetched this many Gaussians ahead.
AHEAD = 8

WIDE = 7  # blocks from which on the corners of a box are worth finding
SPAN_MARGIN = float32(0.01)  # pixels: spans may be too wide, since each pixel is tested, but not too narrow


@inlined
def tile_bounds(tile, width, height):
    """The tile's first and last pixel: x_first, x_last, y_first, y_last."""
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    x_first, y_first = (tile % tiles_x) * TILE_WIDTH, (tile // tiles_x) * TILE_HEIGHT
    return x_first, min(x_first + TILE_WIDTH, width) - 1, y_first, min(y_first + TILE_HEIGHT, height) - 1


@inlined
def blocks_of_box(records, g, bounds):
    """The blocks of the tile that the Gaussian's box touches: first and last column, first and last row."""
    x_low = max(int32(records[g, X_LOW]), int32(bounds[0])) - bounds[0]
    x_high = min(int32(records[g, X_HIGH]), int32(bounds[1])) - bounds[0]
    y_low = max(int32(records[g, Y_LOW]), int32(bounds[2])) - bounds[2]
    y_high = min(int32(records[g, Y_HIGH]), int32(bounds[3])) - bounds[2]
    return x_low // BLOCK_WIDTH, x_high // BLOCK_WIDTH, y_low // BLOCK_HEIGHT, y_high // BLOCK_HEIGHT


@inlined
def offsets_from_center(records, g, bounds, column, row):
    """dx and dy of the pixels of a block from the Gaussian's centre."""
    dx = columns_in_block() + (float32(bounds[0] + column * BLOCK_WIDTH) + float32(0.5) - records[g, CENTER_X])
    dy = rows_in_block() + (float32(bounds[2] + row * BLOCK_HEIGHT) + float32(0.5) - records[g, CENTER_Y])
    return dx, dy


@inlined
def row_terms(records, g, dy):
    """The exponent of alpha is quad_xx dx² + linear dx + constant."""
    return dy * records[g, QUAD_XY], dy * dy * records[g, QUAD_YY] + records[g, LOG_OPACITY]


@inlined
def find_spans(records, g, first_row, last_row, bounds, spans):
    """Write to spans [2, rows of blocks] the first and last pixel, counted in the tile, of the ellipse in each row.

    The right edge of the ellipse is shear dy + slope sqrt(half_height_squared - dy²); over the height of a row of
    blocks it reaches farthest in the row's point nearest to the ellipse's rightmost one. The left edge mirrors it.
    """
    square, shear, slope = records[g, HALF_HEIGHT_SQUARED], records[g, SHEAR], records[g, SLOPE]
    center = records[g, CENTER_X] - float32(0.5) - float32(bounds[0])
    rightmost = shear * np.sqrt(square / (shear * shear + slope * slope))
    for row in range(first_row, last_row + 1, LANES):
        first_dy = float32(bounds[2] + row * BLOCK_HEIGHT) + float32(0.5) - records[g, CENTER_Y]
        low = lane_numbers() * float32(BLOCK_HEIGHT) + first_dy
        high = low + float32(BLOCK_HEIGHT - 1)
        dy = minimum(maximum(broadcast(rightmost), low), high)
        right = sqrt(maximum(square - dy * dy, broadcast(0))) * slope + dy * shear + (center + SPAN_MARGIN)
        dy = minimum(maximum(broadcast(-rightmost), low), high)
        left = sqrt(maximum(square - dy * dy, broadcast(0))) * -slope + dy * shear + (center - SPAN_MARGIN)
        store_row(spans, 0, row - first_row, maximum(ceil(left), broadcast(0)))
        store_row(spans, 1, row - first_row, minimum(floor(right), broadcast(float32(TILE_WIDTH - 1))))


@inlined
def blocks_of_span(spans, row, first_column, last_column):
    """The first and last block of a row, counted from the first that `find_spans` looked at, inside these columns."""
    first = max(int32(spans[0, row]) // BLOCK_WIDTH, first_column)
    return first, min(int32(spans[1, row]) // BLOCK_WIDTH, last_column)
