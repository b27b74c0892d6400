"""Blending of the Gaussians in each tile, forward and backward.

3DGS, eq. 3: the colour of a pixel is Σ cᵢ αᵢ Tᵢ + background T, with Tᵢ = Π_{j<i} (1 - αⱼ). A tile's pixels lie in a
buffer of float32 planes that stays in the first-level cache; a Gaussian visits the rows of its ellipse, and in each
row only the segments of eight pixels that the ellipse covers.

Both passes go front to back and take the same decisions. A pixel in which blending has stopped holds its
transmittance negated.
"""

import numpy as np
from numba import float32, int32

from fit_gaussians.rasterize.binning import TILE_HEIGHT, TILE_WIDTH
from fit_gaussians.rasterize.conventions import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from fit_gaussians.rasterize.jit import inlined, kernel
from fit_gaussians.rasterize.layout import (
    CENTER_X,
    CENTER_Y,
    HALF_HEIGHT_SQUARED,
    LOG_OPACITY,
    QUAD_XX,
    QUAD_XY,
    QUAD_YY,
    RECORD_BLUE,
    RECORD_GREEN,
    RECORD_RED,
    SHEAR,
    SLOPE,
    SUM_BLUE,
    SUM_V,
    X_HIGH,
    X_LOW,
    Y_HIGH,
    Y_LOW,
)
from fit_gaussians.rasterize.simd import (
    LANES,
    and_not,
    broadcast,
    ceil,
    exp2,
    floor,
    lane_numbers,
    load,
    maximum,
    minimum,
    select,
    sqrt,
    store,
    store_row,
    sum_lanes,
    sums_of_eight,
)

# A segment may begin in the last column, so rows are one vector longer than the tile.
PITCH = TILE_WIDTH + LANES
PLANE = TILE_HEIGHT * PITCH
BUFFER_SIZE = 5 * PLANE
SPANS_SHAPE = (2, TILE_HEIGHT + LANES)

# Planes of the buffer. Forward: transmittance, then the colour so far. Backward: transmittance, what the rest of the
# pixel contributes to the loss, and the gradient of the pixel's colour.
TRANSMITTANCE, FORWARD_RED, FORWARD_GREEN, FORWARD_BLUE = 0, PLANE, 2 * PLANE, 3 * PLANE
REST, GRAD_RED_PLANE, GRAD_GREEN_PLANE, GRAD_BLUE_PLANE = PLANE, 2 * PLANE, 3 * PLANE, 4 * PLANE

LOG2_ALPHA_MIN = float32(np.log2(ALPHA_MIN))
ALPHA_LIMIT = float32(ALPHA_MAX)
STOP = float32(TRANSMITTANCE_MIN)
SPAN_MARGIN = float32(0.01)  # pixels: spans may be too wide, since each pixel is tested, but not too narrow


@inlined
def _tile_bounds(tile, width, height):
    """The tile's first and last pixel: x_first, x_last, y_first, y_last."""
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    x_first, y_first = (tile % tiles_x) * TILE_WIDTH, (tile // tiles_x) * TILE_HEIGHT
    return x_first, min(x_first + TILE_WIDTH, width) - 1, y_first, min(y_first + TILE_HEIGHT, height) - 1


@inlined
def _find_spans(record, x_low, x_high, y_low, y_high, spans):
    """Write to spans [2, rows] the first and last pixel of each row of the ellipse, eight rows at a time."""
    for y in range(y_low, y_high + 1, LANES):
        dy = lane_numbers() + (float32(y) + float32(0.5) - record[CENTER_Y])
        middle = dy * record[SHEAR] + (record[CENTER_X] - float32(0.5))
        half = sqrt(maximum(record[HALF_HEIGHT_SQUARED] - dy * dy, broadcast(0))) * record[SLOPE] + SPAN_MARGIN
        store_row(spans, 0, y - y_low, maximum(ceil(middle - half), broadcast(float32(x_low))))
        store_row(spans, 1, y - y_low, minimum(floor(middle + half), broadcast(float32(x_high))))


@inlined
def _alpha(dx, quad_xx, linear, constant, transmittance):
    """Alpha of a segment before the clamp, and the mask of the pixels in which the Gaussian is to be blended."""
    exponent = (quad_xx * dx + linear) * dx + constant
    return exp2(exponent), (exponent >= LOG2_ALPHA_MIN) & (transmittance > 0.0)


@inlined
def _pass_through(transmittance, alpha, blended):
    """The weight of the Gaussian and the transmittance behind it; blending stops where that would be too small."""
    weight = transmittance * alpha
    behind = transmittance - weight
    stopped = blended & (behind <= STOP)
    blended = and_not(blended, stopped)
    weight = select(blended, weight, 0.0)
    behind = select(stopped, -transmittance, select(blended, behind, transmittance))
    return weight, behind, blended


@inlined
def _blend_segment(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    transmittance = load(buffer, TRANSMITTANCE + at)
    alpha, blended = _alpha(dx, quad_xx, linear, constant, transmittance)
    weight, behind, _ = _pass_through(transmittance, minimum(alpha, broadcast(ALPHA_LIMIT)), blended)
    store(buffer, TRANSMITTANCE + at, behind)
    store(buffer, FORWARD_RED + at, load(buffer, FORWARD_RED + at) + weight * red)
    store(buffer, FORWARD_GREEN + at, load(buffer, FORWARD_GREEN + at) + weight * green)
    store(buffer, FORWARD_BLUE + at, load(buffer, FORWARD_BLUE + at) + weight * blue)


@inlined
def _blend_gaussian(record, bounds, spans, buffer):
    x_first, x_last, y_first, y_last = bounds
    x_low, x_high = max(int32(record[X_LOW]), int32(x_first)), min(int32(record[X_HIGH]), int32(x_last))
    y_low, y_high = max(int32(record[Y_LOW]), int32(y_first)), min(int32(record[Y_HIGH]), int32(y_last))
    _find_spans(record, x_low, x_high, y_low, y_high, spans)
    quad_xx = broadcast(record[QUAD_XX])
    red, green, blue = broadcast(record[RECORD_RED]), broadcast(record[RECORD_GREEN]), broadcast(record[RECORD_BLUE])
    first_dx = lane_numbers() + (float32(0.5) - record[CENTER_X])
    for y in range(y_low, y_high + 1):
        dy = float32(y) + float32(0.5) - record[CENTER_Y]
        linear = broadcast(record[QUAD_XY] * dy)
        constant = broadcast(record[QUAD_YY] * dy * dy + record[LOG_OPACITY])
        row = (y - y_first) * PITCH - x_first
        x, last = int32(spans[0, y - y_low]), int32(spans[1, y - y_low])
        while x <= last:
            _blend_segment(buffer, row + x, first_dx + float32(x), quad_xx, linear, constant, red, green, blue)
            x += LANES


@kernel
def blend(records, tile_starts, tile_lists, width, height, background, spans, buffer, image, alpha):
    """Fill image [H, W, 3] and alpha [H, W]. background is flat: 3 numbers, or 3 for each pixel."""
    background_step = 3 if len(background) > 3 else 0
    tiles = ((width + TILE_WIDTH - 1) // TILE_WIDTH) * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    for tile in range(tiles):
        bounds = _tile_bounds(tile, width, height)
        buffer[:PLANE] = float32(1)
        buffer[PLANE : 4 * PLANE] = float32(0)
        for entry in range(tile_starts[tile], tile_starts[tile + 1]):
            g = tile_lists[entry]
            _blend_gaussian(records[g], bounds, spans, buffer)
        x_first, x_last, y_first, y_last = bounds
        for y in range(y_first, y_last + 1):
            row = (y - y_first) * PITCH - x_first
            for x in range(x_first, x_last + 1):
                transmittance = abs(buffer[row + x])
                behind = (y * width + x) * background_step
                alpha[y, x] = float32(1) - transmittance
                image[y, x, 0] = buffer[FORWARD_RED + row + x] + transmittance * background[behind]
                image[y, x, 1] = buffer[FORWARD_GREEN + row + x] + transmittance * background[behind + 1]
                image[y, x, 2] = buffer[FORWARD_BLUE + row + x] + transmittance * background[behind + 2]


@inlined
def _blend_segment_backward(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    """alpha dL/dalpha of a segment, and its weight times the gradient of the pixels' colour.

    With R the part of the loss's linearisation that comes from the Gaussian's own term and all behind it, its own
    term being W = weight c·dL/dC: alpha dL/dalpha = W - alpha (R - W) / (1 - alpha).
    """
    transmittance = load(buffer, TRANSMITTANCE + at)
    raw_alpha, blended = _alpha(dx, quad_xx, linear, constant, transmittance)
    alpha = minimum(raw_alpha, broadcast(ALPHA_LIMIT))
    weight, behind, blended = _pass_through(transmittance, alpha, blended)
    store(buffer, TRANSMITTANCE + at, behind)
    v_red, v_green = load(buffer, GRAD_RED_PLANE + at), load(buffer, GRAD_GREEN_PLANE + at)
    v_blue = load(buffer, GRAD_BLUE_PLANE + at)
    own = weight * (red * v_red + green * v_green + blue * v_blue)
    rest = load(buffer, REST + at) - own
    store(buffer, REST + at, rest)
    v = own - alpha * rest / (1.0 - alpha)
    v = select(and_not(blended, raw_alpha > ALPHA_LIMIT), v, 0.0)  # the clamp lets no gradient pass
    return v, weight * v_red, weight * v_green, weight * v_blue


@inlined
def _blend_gaussian_backward(record, bounds, spans, buffer, sums):
    """Add to sums [16] the nine sums of this Gaussian over the tile's pixels (see `layout`)."""
    x_first, x_last, y_first, y_last = bounds
    x_low, x_high = max(int32(record[X_LOW]), int32(x_first)), min(int32(record[X_HIGH]), int32(x_last))
    y_low, y_high = max(int32(record[Y_LOW]), int32(y_first)), min(int32(record[Y_HIGH]), int32(y_last))
    _find_spans(record, x_low, x_high, y_low, y_high, spans)
    quad_xx = broadcast(record[QUAD_XX])
    red, green, blue = broadcast(record[RECORD_RED]), broadcast(record[RECORD_GREEN]), broadcast(record[RECORD_BLUE])
    first_dx = lane_numbers() + (float32(0.5) - record[CENTER_X])
    zero = broadcast(float32(0))
    v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green, v_blue = zero, zero, zero, zero, zero, zero, zero, zero, zero
    for y in range(y_low, y_high + 1):
        dy = float32(y) + float32(0.5) - record[CENTER_Y]
        linear = broadcast(record[QUAD_XY] * dy)
        constant = broadcast(record[QUAD_YY] * dy * dy + record[LOG_OPACITY])
        row = (y - y_first) * PITCH - x_first
        x, last = int32(spans[0, y - y_low]), int32(spans[1, y - y_low])
        row_v, row_x = zero, zero
        while x <= last:
            dx = first_dx + float32(x)
            segment, s_red, s_green, s_blue = _blend_segment_backward(
                buffer, row + x, dx, quad_xx, linear, constant, red, green, blue
            )
            row_v = row_v + segment
            by_dx = segment * dx
            row_x = row_x + by_dx
            v_xx = v_xx + by_dx * dx
            v_red, v_green, v_blue = v_red + s_red, v_green + s_green, v_blue + s_blue
            x += LANES
        by_dy = row_v * dy
        v, v_x, v_y = v + row_v, v_x + row_x, v_y + by_dy
        v_xy, v_yy = v_xy + row_x * dy, v_yy + by_dy * dy
    eight = sums_of_eight(v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green)
    store(sums, SUM_V, load(sums, SUM_V) + eight)
    sums[SUM_BLUE] += sum_lanes(v_blue)


@kernel
def blend_backward(
    records,
    count,
    tile_starts,
    tile_lists,
    width,
    height,
    image,
    alpha,
    v_image,
    v_alpha,
    spans,
    buffer,
    sums,
):
    """Fill sums [P, 16] from the gradients of the image [H, W, 3] and of alpha [H, W]."""
    sums[:count] = float32(0)
    tiles = ((width + TILE_WIDTH - 1) // TILE_WIDTH) * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    for tile in range(tiles):
        if tile_starts[tile] == tile_starts[tile + 1]:
            continue
        bounds = _tile_bounds(tile, width, height)
        x_first, x_last, y_first, y_last = bounds
        buffer[:] = float32(0)
        for y in range(y_first, y_last + 1):
            row = (y - y_first) * PITCH - x_first
            for x in range(x_first, x_last + 1):
                v_red, v_green, v_blue = v_image[y, x, 0], v_image[y, x, 1], v_image[y, x, 2]
                buffer[TRANSMITTANCE + row + x] = float32(1)
                buffer[GRAD_RED_PLANE + row + x] = v_red
                buffer[GRAD_GREEN_PLANE + row + x] = v_green
                buffer[GRAD_BLUE_PLANE + row + x] = v_blue
                # alpha = 1 - T, so its gradient counts as that of a background of colour -1.
                buffer[REST + row + x] = (
                    image[y, x, 0] * v_red
                    + image[y, x, 1] * v_green
                    + image[y, x, 2] * v_blue
                    - (float32(1) - alpha[y, x]) * v_alpha[y, x]
                )
        for entry in range(tile_starts[tile], tile_starts[tile + 1]):
            g = tile_lists[entry]
            _blend_gaussian_backward(records[g], bounds, spans, buffer, sums[g])
