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
    absolute,
    and_not,
    broadcast,
    ceil,
    exp2,
    floor,
    lane_numbers,
    load,
    load_part,
    load_row,
    maximum,
    minimum,
    prefetch,
    select,
    sqrt,
    store,
    store_part,
    store_row,
    sum_lanes,
    sums_of_eight,
)

# A segment may begin in the last column, so rows are one vector longer than the tile.
PITCH = TILE_WIDTH + LANES
PLANE = TILE_HEIGHT * PITCH
BUFFER_SIZE = 5 * PLANE
SPANS_SHAPE = (2, TILE_HEIGHT + LANES)

# Records lie in the input's order, all over memory: they are fetched so many Gaussians before they are needed.
AHEAD = 8

# Planes of the buffer. Forward: transmittance, then the colour so far. Backward: transmittance, what the rest of the
# pixel contributes to the loss, and the gradient of the pixel's colour.
TRANSMITTANCE, FORWARD_COLOR = 0, PLANE
REST, GRADIENT_COLOR = PLANE, 2 * PLANE

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
def _box_in_tile(records, g, bounds):
    """The part of the Gaussian's box that lies in the tile: x_low, x_high, y_low, y_high."""
    return (
        max(int32(records[g, X_LOW]), int32(bounds[0])),
        min(int32(records[g, X_HIGH]), int32(bounds[1])),
        max(int32(records[g, Y_LOW]), int32(bounds[2])),
        min(int32(records[g, Y_HIGH]), int32(bounds[3])),
    )


@inlined
def _row_terms(records, g, y):
    """The exponent in row y is quad_xx dx² + linear dx + constant."""
    dy = float32(y) + float32(0.5) - records[g, CENTER_Y]
    return broadcast(records[g, QUAD_XY] * dy), broadcast(records[g, QUAD_YY] * dy * dy + records[g, LOG_OPACITY])


@inlined
def _find_spans(records, g, x_low, x_high, y_low, y_high, spans):
    """Write to spans [2, rows] the first and last pixel of each row of the ellipse, counted from x_low."""
    for y in range(y_low, y_high + 1, LANES):
        dy = lane_numbers() + (float32(y) + float32(0.5) - records[g, CENTER_Y])
        middle = dy * records[g, SHEAR] + (records[g, CENTER_X] - float32(0.5) - float32(x_low))
        half = sqrt(maximum(records[g, HALF_HEIGHT_SQUARED] - dy * dy, broadcast(0))) * records[g, SLOPE] + SPAN_MARGIN
        store_row(spans, 0, y - y_low, maximum(ceil(middle - half), broadcast(0)))
        store_row(spans, 1, y - y_low, minimum(floor(middle + half), broadcast(float32(x_high - x_low))))


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
def blend_segment(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    transmittance = load(buffer, TRANSMITTANCE + at)
    alpha, blended = _alpha(dx, quad_xx, linear, constant, transmittance)
    weight, behind, _ = _pass_through(transmittance, minimum(alpha, broadcast(ALPHA_LIMIT)), blended)
    store(buffer, TRANSMITTANCE + at, behind)
    store(buffer, FORWARD_COLOR + at, load(buffer, FORWARD_COLOR + at) + weight * red)
    store(buffer, FORWARD_COLOR + PLANE + at, load(buffer, FORWARD_COLOR + PLANE + at) + weight * green)
    store(buffer, FORWARD_COLOR + 2 * PLANE + at, load(buffer, FORWARD_COLOR + 2 * PLANE + at) + weight * blue)


@inlined
def _blend_gaussian(records, g, bounds, spans, buffer):
    x_low, x_high, y_low, y_high = _box_in_tile(records, g, bounds)
    quad_xx = broadcast(records[g, QUAD_XX])
    red, green, blue = (
        broadcast(records[g, RECORD_RED]),
        broadcast(records[g, RECORD_GREEN]),
        broadcast(records[g, RECORD_BLUE]),
    )
    first_dx = lane_numbers() + (float32(x_low) + float32(0.5) - records[g, CENTER_X])
    second_dx = first_dx + float32(LANES)
    start = (y_low - bounds[2]) * PITCH + x_low - bounds[0]
    width = x_high - x_low + 1
    if width <= LANES:
        for y in range(y_low, y_high + 1):
            linear, constant = _row_terms(records, g, y)
            blend_segment(buffer, start, first_dx, quad_xx, linear, constant, red, green, blue)
            start += PITCH
    elif width <= 2 * LANES:
        for y in range(y_low, y_high + 1):
            linear, constant = _row_terms(records, g, y)
            blend_segment(buffer, start, first_dx, quad_xx, linear, constant, red, green, blue)
            blend_segment(buffer, start + LANES, second_dx, quad_xx, linear, constant, red, green, blue)
            start += PITCH
    else:
        _find_spans(records, g, x_low, x_high, y_low, y_high, spans)
        for y in range(y_low, y_high + 1):
            linear, constant = _row_terms(records, g, y)
            for skip in range(int32(spans[0, y - y_low]), int32(spans[1, y - y_low]) + 1, LANES):
                dx = first_dx + float32(skip)
                blend_segment(buffer, start + skip, dx, quad_xx, linear, constant, red, green, blue)
            start += PITCH


@kernel
def blend(records, tile_starts, tile_lists, width, height, background, spans, buffer, image, alpha):
    """Fill image [3, H, W] and alpha [H, W] over a background [3, H, W] or [3, 1, 1]."""
    image, alpha, background_is_color = image.reshape(-1), alpha.reshape(-1), background.shape[2] == 1
    background = background.reshape(-1)
    tiles = ((width + TILE_WIDTH - 1) // TILE_WIDTH) * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    for tile in range(tiles):
        bounds = _tile_bounds(tile, width, height)
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
    for y in range(y_first, y_last + 1):
        row = (y - y_first) * PITCH - x_first
        for x in range(x_first, x_last + 1, LANES):
            pixel, count = y * width + x, x_last + 1 - x
            transmittance = absolute(load(buffer, TRANSMITTANCE + row + x))
            store_part(alpha, pixel, 1.0 - transmittance, count)
            for channel in range(3):
                color = load(buffer, FORWARD_COLOR + channel * PLANE + row + x)
                at = channel * width * height + pixel
                if background_is_color:
                    color = color + transmittance * background[channel]
                else:
                    color = color + transmittance * load_part(background, at, count)
                store_part(image, at, color, count)


@inlined
def blend_segment_backward(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    """alpha dL/dalpha of a segment, and its weight times the gradient of the pixels' colour.

    With R the part of the loss's linearisation that comes from the Gaussian's own term and all behind it, its own
    term being W = weight c·dL/dC: alpha dL/dalpha = W - alpha (R - W) / (1 - alpha).
    """
    transmittance = load(buffer, TRANSMITTANCE + at)
    raw_alpha, blended = _alpha(dx, quad_xx, linear, constant, transmittance)
    alpha = minimum(raw_alpha, broadcast(ALPHA_LIMIT))
    weight, behind, blended = _pass_through(transmittance, alpha, blended)
    store(buffer, TRANSMITTANCE + at, behind)
    v_red, v_green = load(buffer, GRADIENT_COLOR + at), load(buffer, GRADIENT_COLOR + PLANE + at)
    v_blue = load(buffer, GRADIENT_COLOR + 2 * PLANE + at)
    own = weight * (red * v_red + green * v_green + blue * v_blue)
    rest = load(buffer, REST + at) - own
    store(buffer, REST + at, rest)
    v = own - alpha * rest / (1.0 - alpha)
    v = select(and_not(blended, raw_alpha > ALPHA_LIMIT), v, 0.0)  # the clamp lets no gradient pass
    return v, weight * v_red, weight * v_green, weight * v_blue


@inlined
def _blend_gaussian_backward(records, g, bounds, spans, buffer, sums):
    """Add to sums [P, 16] the nine sums of this Gaussian over the tile's pixels (see `layout`)."""
    x_low, x_high, y_low, y_high = _box_in_tile(records, g, bounds)
    quad_xx = broadcast(records[g, QUAD_XX])
    red, green, blue = (
        broadcast(records[g, RECORD_RED]),
        broadcast(records[g, RECORD_GREEN]),
        broadcast(records[g, RECORD_BLUE]),
    )
    first_dx = lane_numbers() + (float32(x_low) + float32(0.5) - records[g, CENTER_X])
    second_dx = first_dx + float32(LANES)
    start = (y_low - bounds[2]) * PITCH + x_low - bounds[0]
    width = x_high - x_low + 1
    zero = broadcast(float32(0))
    v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green, v_blue = zero, zero, zero, zero, zero, zero, zero, zero, zero
    if width > 2 * LANES:
        _find_spans(records, g, x_low, x_high, y_low, y_high, spans)
    for y in range(y_low, y_high + 1):
        linear, constant = _row_terms(records, g, y)
        row_v, row_x = zero, zero
        if width <= 2 * LANES:
            row_v, red_part, green_part, blue_part = blend_segment_backward(
                buffer, start, first_dx, quad_xx, linear, constant, red, green, blue
            )
            row_x = row_v * first_dx
            v_xx = v_xx + row_x * first_dx
            v_red, v_green, v_blue = v_red + red_part, v_green + green_part, v_blue + blue_part
            if width > LANES:
                part, red_part, green_part, blue_part = blend_segment_backward(
                    buffer, start + LANES, second_dx, quad_xx, linear, constant, red, green, blue
                )
                by_dx = part * second_dx
                row_v, row_x, v_xx = row_v + part, row_x + by_dx, v_xx + by_dx * second_dx
                v_red, v_green, v_blue = v_red + red_part, v_green + green_part, v_blue + blue_part
        else:
            for skip in range(int32(spans[0, y - y_low]), int32(spans[1, y - y_low]) + 1, LANES):
                dx = first_dx + float32(skip)
                part, red_part, green_part, blue_part = blend_segment_backward(
                    buffer, start + skip, dx, quad_xx, linear, constant, red, green, blue
                )
                by_dx = part * dx
                row_v, row_x, v_xx = row_v + part, row_x + by_dx, v_xx + by_dx * dx
                v_red, v_green, v_blue = v_red + red_part, v_green + green_part, v_blue + blue_part
        start += PITCH
        dy = float32(y) + float32(0.5) - records[g, CENTER_Y]
        by_dy = row_v * dy
        v, v_x, v_y = v + row_v, v_x + row_x, v_y + by_dy
        v_xy, v_yy = v_xy + row_x * dy, v_yy + by_dy * dy
    eight = sums_of_eight(v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green)
    store_row(sums, g, SUM_V, load_row(sums, g, SUM_V) + eight)
    sums[g, SUM_BLUE] += sum_lanes(v_blue)


@kernel
def blend_backward(
    records, count, tile_starts, tile_lists, width, height, image, alpha, v_image, v_alpha, spans, buffer, sums
):
    """Fill sums [P, 16] from the gradients of the image [3, H, W] and of alpha [H, W]."""
    image, alpha, v_image, v_alpha = image.reshape(-1), alpha.reshape(-1), v_image.reshape(-1), v_alpha.reshape(-1)
    sums[:count] = float32(0)
    tiles = ((width + TILE_WIDTH - 1) // TILE_WIDTH) * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    for tile in range(tiles):
        if tile_starts[tile] == tile_starts[tile + 1]:
            continue
        bounds = _tile_bounds(tile, width, height)
        buffer[:] = float32(0)
        _read_tile(buffer, bounds, width, height, image, alpha, v_image, v_alpha)
        last = tile_starts[tile + 1] - 1
        for entry in range(tile_starts[tile], last + 1):
            coming = tile_lists[min(entry + AHEAD, last)]
            prefetch(records, coming)
            prefetch(sums, coming)
            _blend_gaussian_backward(records, tile_lists[entry], bounds, spans, buffer, sums)


@inlined
def _read_tile(buffer, bounds, width, height, image, alpha, v_image, v_alpha):
    x_first, x_last, y_first, y_last = bounds
    for y in range(y_first, y_last + 1):
        row = (y - y_first) * PITCH - x_first
        for x in range(x_first, x_last + 1, LANES):
            pixel, count = y * width + x, x_last + 1 - x
            store_part(buffer, TRANSMITTANCE + row + x, broadcast(float32(1)), count)
            # alpha = 1 - T, so its gradient counts as that of a background of colour -1.
            rest = (load_part(alpha, pixel, count) - 1.0) * load_part(v_alpha, pixel, count)
            for channel in range(3):
                at = channel * width * height + pixel
                v_color = load_part(v_image, at, count)
                store(buffer, GRADIENT_COLOR + channel * PLANE + row + x, v_color)
                rest = rest + load_part(image, at, count) * v_color
            store(buffer, REST + row + x, rest)
