"""Blending backward: from the gradients of the pixels to sums for each Gaussian.

Goes front to back like the forward pass and takes the same decisions, so nothing of that pass needs to be kept but the
image. With R the part of the loss's linearisation that comes from a Gaussian's own term in a pixel and all behind it,
its own term being W = weight c·dL/dC: alpha dL/dalpha = W - alpha (R - W) / (1 - alpha).
"""

from numba import float32

from fit_gaussians.rasterize.kernels.binning import count_tiles
from fit_gaussians.rasterize.kernels.blend import ALPHA_LIMIT, alpha_of_block, pass_through
from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import QUAD_XX, RECORD_BLUE, RECORD_GREEN, RECORD_RED, SUM_BLUE, SUM_V
from fit_gaussians.rasterize.kernels.simd import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    LANES,
    add_sums,
    and_not,
    broadcast,
    load,
    load_block,
    minimum,
    prefetch,
    select,
    store,
    sum_lanes,
)
from fit_gaussians.rasterize.kernels.tiles import (
    AHEAD,
    GRADIENT_COLOR,
    PLANE,
    REST,
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


@inlined
def blend_block_backward(buffer, at, dx, quad_xx, linear, constant, red, green, blue):
    """alpha dL/dalpha in a block, and the Gaussian's weight times the gradient of the pixels' colour."""
    transmittance = load(buffer, TRANSMITTANCE + at)
    raw_alpha, blended = alpha_of_block(dx, quad_xx, linear, constant, transmittance)
    alpha = minimum(raw_alpha, broadcast(ALPHA_LIMIT))
    weight, behind, blended = pass_through(transmittance, alpha, blended)
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
    left, right, top, bottom = blocks_of_box(records, g, bounds)
    first_dx, dy = offsets_from_center(records, g, bounds, left, top)
    quad_xx, red = broadcast(records[g, QUAD_XX]), broadcast(records[g, RECORD_RED])
    green, blue = broadcast(records[g, RECORD_GREEN]), broadcast(records[g, RECORD_BLUE])
    zero = broadcast(float32(0))
    v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green, v_blue = zero, zero, zero, zero, zero, zero, zero, zero, zero
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
        row_v, row_x = zero, zero
        for _ in range(first, last + 1):
            part, red_part, green_part, blue_part = blend_block_backward(
                buffer, at, dx, quad_xx, linear, constant, red, green, blue
            )
            by_dx = part * dx
            row_v, row_x, v_xx = row_v + part, row_x + by_dx, v_xx + by_dx * dx
            v_red, v_green, v_blue = v_red + red_part, v_green + green_part, v_blue + blue_part
            dx = dx + float32(BLOCK_WIDTH)
            at += LANES
        by_dy = row_v * dy
        v, v_x, v_y = v + row_v, v_x + row_x, v_y + by_dy
        v_xy, v_yy = v_xy + row_x * dy, v_yy + by_dy * dy
        dy = dy + float32(BLOCK_HEIGHT)
    add_sums(sums, g, SUM_V, (v, v_x, v_y, v_xx, v_xy, v_yy, v_red, v_green))
    sums[g, SUM_BLUE] += sum_lanes(v_blue)


@kernel
def blend_backward(
    records, count, tile_starts, tile_lists, width, height, image, alpha, v_image, v_alpha, spans, buffer, sums
):
    """Fill sums [P, 16] from the gradients of the image [3, H, W] and of alpha [H, W]."""
    image, alpha, v_image, v_alpha = image.reshape(-1), alpha.reshape(-1), v_image.reshape(-1), v_alpha.reshape(-1)
    sums[:count] = float32(0)
    for tile in range(count_tiles(width, height)):
        if tile_starts[tile] == tile_starts[tile + 1]:
            continue
        bounds = tile_bounds(tile, width, height)
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
    for y in range(y_first, y_last + 1, BLOCK_HEIGHT):
        for x in range(x_first, x_last + 1, BLOCK_WIDTH):
            at = (y - y_first) // BLOCK_HEIGHT * ROW_OF_BLOCKS + (x - x_first) * BLOCK_HEIGHT
            pixel, columns, rows = y * width + x, x_last + 1 - x, y_last + 1 - y
            store(buffer, TRANSMITTANCE + at, broadcast(float32(1)))
            # alpha = 1 - T, so its gradient counts as that of a background of colour -1.
            opaque = load_block(alpha, pixel, width, columns, rows)
            rest = (opaque - 1.0) * load_block(v_alpha, pixel, width, columns, rows)
            for channel in range(3):
                first = channel * width * height + pixel
                v_color = load_block(v_image, first, width, columns, rows)
                store(buffer, GRADIENT_COLOR + channel * PLANE + at, v_color)
                rest = rest + load_block(image, first, width, columns, rows) * v_color
            store(buffer, REST + at, rest)
