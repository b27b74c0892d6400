"""A time by which machines compare: what the innermost steps of the rasterizer's blending need at least.

One Gaussian in one vector of pixels, forward and backward, for as many pairs of a Gaussian and a pixel as the scene of
benchmarks/fit/raster.py has at 256 x 256: all lanes full, everything in the first cache, nothing else to do. It follows
the clock and the width of the vectors, and knows nothing of memory or disks.
"""

# Numba compiles the two kernels by its own rules of typing, as those of the rasterizer.
# mypy: ignore-errors

import time
from collections.abc import Callable

import numpy as np

from fit_gaussians.rasterize.kernels.blend import blend_block
from fit_gaussians.rasterize.kernels.blend_backward import blend_block_backward
from fit_gaussians.rasterize.kernels.jit import kernel
from fit_gaussians.rasterize.kernels.simd import LANES, broadcast, lane_numbers, store_row
from fit_gaussians.rasterize.kernels.tiles import BUFFER_SIZE, PLANE

PAIRS_256 = 584_303  # `pairs_256` of raster.json


def limit_ms(pairs: int = PAIRS_256) -> float:
    """CPU milliseconds of both passes' steps for so many pairs, in one thread; the first call compiles, some 3 s."""
    buffer = np.zeros(BUFFER_SIZE, np.float32)
    segments = pairs // LANES
    forward = fastest_ms(lambda: full_blocks(buffer, segments), 200)
    return forward + fastest_ms(lambda: full_blocks_backward(buffer, segments), 200)


def fastest_ms(function: Callable[[], object], repeats: int) -> float:
    """CPU time of the fastest of several calls, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return 1e3 * min(times)


@kernel
def full_blocks(buffer, count):
    """The innermost step of the forward pass, `count` times."""
    buffer[:PLANE] = np.float32(1)
    quad_xx, linear, color = broadcast(-0.01), broadcast(0.01), broadcast(0.5)
    at, last = 0, PLANE - LANES
    for _ in range(count):
        constant = broadcast(np.float32(-4) - np.float32(1e-4) * np.float32(at))  # as in each row, so not hoisted
        blend_block(buffer, at, lane_numbers(), quad_xx, linear, constant, color, color, color)
        at = at + LANES if at < last else 0


@kernel
def full_blocks_backward(buffer, count):
    """The innermost step of the backward pass with its sums, `count` times."""
    buffer[:PLANE] = np.float32(1)
    quad_xx, linear, color = broadcast(-0.01), broadcast(0.01), broadcast(0.5)
    zero = broadcast(np.float32(0))
    v, v_x, v_xx, v_red, v_green, v_blue = zero, zero, zero, zero, zero, zero
    dx = lane_numbers()
    at, last = 0, PLANE - LANES
    for _ in range(count):
        constant = broadcast(np.float32(-4) - np.float32(1e-4) * np.float32(at))
        part, red, green, blue = blend_block_backward(buffer, at, dx, quad_xx, linear, constant, color, color, color)
        by_dx = part * dx
        v, v_x, v_xx = v + part, v_x + by_dx, v_xx + by_dx * dx
        v_red, v_green, v_blue = v_red + red, v_green + green, v_blue + blue
        at = at + LANES if at < last else 0
    store_row(buffer.reshape(1, -1), 0, 0, v + v_x + v_xx + v_red + v_green + v_blue)
