"""Depth order and tile lists: which Gaussians may touch which tile, nearest first.

A radix sort of the visible Gaussians by depth, once for the whole image; each tile's list is then filled in that
order. Ties keep the order of the input, as gsplat does.
"""

import numpy as np
from numba import int32, uint32
from numba.extending import register_jitable

from fit_gaussians.rasterize.kernels.jit import kernel
from fit_gaussians.rasterize.kernels.layout import X_HIGH, X_LOW, Y_HIGH, Y_LOW

# A tile's working buffer of five planes just fits a first-level cache of 48 KB.
TILE_WIDTH = 64
TILE_HEIGHT = 32

DIGIT_BITS = 12
DIGITS = 1 << DIGIT_BITS


@register_jitable
def count_tiles(width: int, height: int) -> int:
    return ((width + TILE_WIDTH - 1) // TILE_WIDTH) * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)


@kernel
def find_visible(records, depths, count, width, height, order, keys, tile_boxes, tile_starts):
    """Write the visible Gaussians' indices to `order` and the bits of their depths to `keys`.

    Also writes the first and last column and row of tiles of each to tile_boxes [N, 4], and leaves in
    tile_starts [tiles + 1] where each tile's list begins. Returns how many Gaussians are visible and the length of
    all lists together.
    """
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    tiles = count_tiles(width, height)
    tile_starts[: tiles + 1] = 0
    depth_bits = depths.view(np.uint32)
    visible = 0
    for g in range(count):
        if records[g, X_LOW] > records[g, X_HIGH] or records[g, Y_LOW] > records[g, Y_HIGH]:
            continue
        order[visible], keys[visible] = g, depth_bits[g]
        visible += 1
        x_low, x_high = int32(records[g, X_LOW]) // TILE_WIDTH, int32(records[g, X_HIGH]) // TILE_WIDTH
        y_low, y_high = int32(records[g, Y_LOW]) // TILE_HEIGHT, int32(records[g, Y_HIGH]) // TILE_HEIGHT
        tile_boxes[g, 0], tile_boxes[g, 1], tile_boxes[g, 2], tile_boxes[g, 3] = x_low, x_high, y_low, y_high
        for tile_y in range(y_low, y_high + 1):
            for tile_x in range(x_low, x_high + 1):
                tile_starts[tile_y * tiles_x + tile_x + 1] += 1
    for tile in range(tiles):
        tile_starts[tile + 1] += tile_starts[tile]
    return visible, tile_starts[tiles]


@kernel
def sort_by_depth(order, keys, spare_order, spare_keys, visible, histogram):
    """Sort the first `visible` entries of `order` by `keys`, which is left in disorder.

    The bits of a positive float32, read as an integer, grow with the number. Keys are counted from the smallest, so
    that the few bits in which the depths of one object differ take two passes instead of three.
    """
    smallest, largest = uint32(0xFFFFFFFF), uint32(0)
    for i in range(visible):
        smallest, largest = min(smallest, keys[i]), max(largest, keys[i])
    from_keys, from_order, to_keys, to_order = keys, order, spare_keys, spare_order
    shift = 0
    while visible > 1 and (largest - smallest) >> uint32(shift) > 0:
        histogram[:] = 0
        for i in range(visible):
            histogram[((from_keys[i] - smallest) >> uint32(shift)) & uint32(DIGITS - 1)] += 1
        total = int32(0)
        for digit in range(DIGITS):
            total, histogram[digit] = total + histogram[digit], total
        for i in range(visible):
            digit = ((from_keys[i] - smallest) >> uint32(shift)) & uint32(DIGITS - 1)
            position = histogram[digit]
            histogram[digit] = position + 1
            to_keys[position], to_order[position] = from_keys[i], from_order[i]
        from_keys, to_keys = to_keys, from_keys
        from_order, to_order = to_order, from_order
        shift += DIGIT_BITS
    if (shift // DIGIT_BITS) % 2 == 1:  # the last pass wrote to the spare
        for i in range(visible):
            order[i] = spare_order[i]


@kernel
def fill_tile_lists(tile_boxes, order, visible, width, height, tile_starts, tile_ends, tile_lists):
    """Write to tile_lists[tile_starts[t] : tile_starts[t + 1]] the Gaussians that touch tile t, nearest first."""
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    tiles = count_tiles(width, height)
    for tile in range(tiles):
        tile_ends[tile] = tile_starts[tile]
    for i in range(visible):
        g = order[i]
        for tile_y in range(tile_boxes[g, 2], tile_boxes[g, 3] + 1):
            for tile_x in range(tile_boxes[g, 0], tile_boxes[g, 1] + 1):
                tile = tile_y * tiles_x + tile_x
                tile_lists[tile_ends[tile]] = g
                tile_ends[tile] += 1
