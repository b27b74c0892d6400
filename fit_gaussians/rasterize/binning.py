"""Depth order and tile lists: which Gaussians may touch which tile, nearest first.

A radix sort of the visible Gaussians by depth, once for the whole image; each tile's list is then filled in that
order. Ties keep the order of the input, as gsplat does.
"""

import numpy as np
from numba import int32, uint32

from fit_gaussians.rasterize.jit import kernel
from fit_gaussians.rasterize.layout import BLUE, DEPTH, GREEN, HALF_HEIGHT_SQUARED, RED, X_HIGH, X_LOW, Y_HIGH, Y_LOW

# A tile's working buffer of five planes just fits a first-level cache of 48 KB.
TILE_WIDTH = 64
TILE_HEIGHT = 32

DIGIT_BITS = 12
DIGITS = 1 << DIGIT_BITS

NUM_COPIED_PLANES = HALF_HEIGHT_SQUARED + 1  # the image planes that a record repeats


def count_tiles(width: int, height: int) -> int:
    return -(-width // TILE_WIDTH) * -(-height // TILE_HEIGHT)


@kernel
def sort_by_depth(image_planes, count, order, keys, spare_order, spare_keys, histogram):
    """Write the indices of the visible Gaussians to `order`, nearest first; return how many there are.

    The bits of a positive float32, read as an integer, grow with the number. Keys are counted from the smallest, so
    that the few bits in which the depths of one object differ take two passes instead of three.
    """
    depth_bits = image_planes[DEPTH].view(np.uint32)
    visible = 0
    smallest, largest = uint32(0xFFFFFFFF), uint32(0)
    for g in range(count):
        if image_planes[X_LOW, g] <= image_planes[X_HIGH, g] and image_planes[Y_LOW, g] <= image_planes[Y_HIGH, g]:
            key = depth_bits[g]
            keys[visible] = key
            order[visible] = g
            smallest, largest = min(smallest, key), max(largest, key)
            visible += 1
    source_keys, source_order, target_keys, target_order = keys, order, spare_keys, spare_order
    shift = 0
    while visible > 1 and (largest - smallest) >> uint32(shift) > 0:
        histogram[:] = 0
        for i in range(visible):
            histogram[((source_keys[i] - smallest) >> uint32(shift)) & uint32(DIGITS - 1)] += 1
        total = int32(0)
        for digit in range(DIGITS):
            total, histogram[digit] = total + histogram[digit], total
        for i in range(visible):
            digit = ((source_keys[i] - smallest) >> uint32(shift)) & uint32(DIGITS - 1)
            position = histogram[digit]
            histogram[digit] = position + 1
            target_keys[position] = source_keys[i]
            target_order[position] = source_order[i]
        source_keys, target_keys = target_keys, source_keys
        source_order, target_order = target_order, source_order
        shift += DIGIT_BITS
    if (shift // DIGIT_BITS) % 2 == 1:  # the last pass wrote to the spare
        order[:visible] = spare_order[:visible]
    return visible


@kernel
def fill_records(image_planes, colors, order, visible, width, height, records, boxes, tile_starts):
    """Write records [visible, 16] and bounding boxes [visible, 4] in depth order.

    Also leaves in tile_starts [tiles + 1] where each tile's list begins; returns the length of all lists together.
    """
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    tiles = tiles_x * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    tile_starts[: tiles + 1] = 0
    for i in range(visible):
        g = order[i]
        for plane in range(NUM_COPIED_PLANES):
            records[i, plane] = image_planes[plane, g]
        records[i, RED], records[i, GREEN], records[i, BLUE] = colors[g, 0], colors[g, 1], colors[g, 2]
        x_low, x_high = int32(image_planes[X_LOW, g]), int32(image_planes[X_HIGH, g])
        y_low, y_high = int32(image_planes[Y_LOW, g]), int32(image_planes[Y_HIGH, g])
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x_low, x_high, y_low, y_high
        for tile_y in range(y_low // TILE_HEIGHT, y_high // TILE_HEIGHT + 1):
            for tile_x in range(x_low // TILE_WIDTH, x_high // TILE_WIDTH + 1):
                tile_starts[tile_y * tiles_x + tile_x + 1] += 1
    for tile in range(tiles):
        tile_starts[tile + 1] += tile_starts[tile]
    return tile_starts[tiles]


@kernel
def fill_tile_lists(boxes, visible, width, height, tile_starts, tile_ends, tile_lists):
    """Write for each tile the records that touch it, nearest first: tile_lists[tile_starts[t] : tile_starts[t + 1]]."""
    tiles_x = (width + TILE_WIDTH - 1) // TILE_WIDTH
    tiles = tiles_x * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)
    tile_ends[:tiles] = tile_starts[:tiles]
    for i in range(visible):
        for tile_y in range(boxes[i, 2] // TILE_HEIGHT, boxes[i, 3] // TILE_HEIGHT + 1):
            for tile_x in range(boxes[i, 0] // TILE_WIDTH, boxes[i, 1] // TILE_WIDTH + 1):
                tile = tile_y * tiles_x + tile_x
                tile_lists[tile_ends[tile]] = i
                tile_ends[tile] += 1
