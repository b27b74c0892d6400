"""L1 and D-SSIM of two images and their gradient in one pass over each channel, on the CPU.

The loss is that of 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7), (1 - w) L1 + w (1 - SSIM), with the structural
similarity of Wang et al. 2004 over windows of 11 x 11 pixels with Gaussian weights, σ = 1.5, that lie inside the image.
"""

import threading

import numpy as np
from numba import float32, float64

from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.simd import (
    LANES,
    absolute,
    broadcast,
    lane_numbers,
    load_part,
    load_row,
    select,
    store_part,
    store_row,
    sum_lanes,
)

WINDOW = 11
SIGMA = 1.5
C1, C2 = float32(0.01**2), float32(0.03**2)  # for a data range of 1

_offsets = np.arange(WINDOW) - WINDOW // 2
_weights = np.exp(-0.5 * (_offsets / SIGMA) ** 2)
WEIGHTS = tuple(float32(weight) for weight in _weights / _weights.sum())

# Rows of the scratch: moments blurred down the columns; the derivatives of a row of similarities, with zeros on both
# sides; and for each of the three derivatives the last 11 rows, blurred along the row.
NUM_MOMENTS = 5
NUM_DERIVATIVES = 3
DERIVATIVE_ROW = NUM_MOMENTS
RING_ROW = DERIVATIVE_ROW + NUM_DERIVATIVES
SCRATCH_ROWS = RING_ROW + NUM_DERIVATIVES * WINDOW


def loss_and_gradient(x: np.ndarray, y: np.ndarray, gradient: np.ndarray, ssim_weight: float) -> float:
    """The loss of x against y, contiguous float32 planes [K, H, W]; fills its gradient with respect to x."""
    return l1_and_ssim(x, y, gradient, np.float32(ssim_weight), _scratch(x.shape[2]))


_of_thread = threading.local()


def _scratch(width: int) -> np.ndarray:
    """This thread's scratch, at least wide enough for rows of `width` pixels between margins."""
    columns = width + 2 * WINDOW + LANES
    scratch = getattr(_of_thread, "scratch", None)
    if scratch is None or scratch.shape[1] < columns:
        scratch = _of_thread.scratch = np.zeros((SCRATCH_ROWS, columns), np.float32)
    return scratch


@kernel
def l1_and_ssim(x, y, gradient, ssim_weight, scratch):
    """The loss of x against y, planes [K, H, W]; fills its gradient with respect to x, [K, H, W]."""
    K, H, W = x.shape
    x, y, gradient = x.reshape(-1), y.reshape(-1), gradient.reshape(-1)
    windows_high, windows_wide = H - WINDOW + 1, W - WINDOW + 1
    l1_step = (float32(1) - ssim_weight) / float32(K * H * W)
    l1_sum, ssim_sum = float64(0), float64(0)
    for plane in range(K):
        if ssim_weight > 0:
            scratch[:] = float32(0)
        for row in range(H):
            start = (plane * H + row) * W
            if ssim_weight > 0:
                slot = row % WINDOW
                if row < windows_high:
                    step = -ssim_weight / float32(K * windows_high * windows_wide)
                    _blur_down(x, y, start, W, scratch)
                    ssim_sum += _similarity_of_row(scratch, windows_wide, step)
                    _blur_derivatives_along(scratch, slot, W)
                else:
                    _clear_ring(scratch, slot, W)
                _gather_gradient(x, y, start, W, slot, scratch, gradient)
            l1_sum += _l1_of_row(x, y, start, W, l1_step, ssim_weight > 0, gradient)
    loss = float64(l1_step) * l1_sum
    if ssim_weight > 0:
        loss += float64(ssim_weight) * (float64(1) - ssim_sum / float64(K * windows_high * windows_wide))
    return loss


@inlined
def _blur_down(x, y, start, width, scratch):
    """Row 0 to 4 of the scratch: x, y, x², y², xy, each a weighted sum of 11 rows from `start` on."""
    for column in range(0, width, LANES):
        zero = broadcast(float32(0))
        m_x, m_y, m_xx, m_yy, m_xy = zero, zero, zero, zero, zero
        count = width - column
        for k in range(WINDOW):
            a = load_part(x, start + k * width + column, count)
            b = load_part(y, start + k * width + column, count)
            weighted_a, weighted_b = a * WEIGHTS[k], b * WEIGHTS[k]
            m_x, m_y = m_x + weighted_a, m_y + weighted_b
            m_xx, m_yy, m_xy = m_xx + weighted_a * a, m_yy + weighted_b * b, m_xy + weighted_a * b
        store_row(scratch, 0, column, m_x)
        store_row(scratch, 1, column, m_y)
        store_row(scratch, 2, column, m_xx)
        store_row(scratch, 3, column, m_yy)
        store_row(scratch, 4, column, m_xy)


@inlined
def _blur_along(scratch, row, column):
    total = load_row(scratch, row, column) * WEIGHTS[0]
    for k in range(1, WINDOW):
        total = total + load_row(scratch, row, column + k) * WEIGHTS[k]
    return total


@inlined
def _similarity_of_row(scratch, windows, step):
    """The sum of a row of similarities; leaves their derivatives in the scratch, times `step`.

    With means μ, variances σ² and covariance σxy of a window, SSIM = A B / (C D), A = 2 μx μy + c1, B = 2 σxy + c2,
    C = μx² + μy² + c1, D = σx² + σy² + c2. The derivatives are those by the window's blurred x, x² and xy.
    """
    total = broadcast(float32(0))
    for column in range(0, windows, LANES):
        mean_x, mean_y = _blur_along(scratch, 0, column), _blur_along(scratch, 1, column)
        xx, xy, yy = mean_x * mean_x, mean_x * mean_y, mean_y * mean_y
        variances = _blur_along(scratch, 2, column) + _blur_along(scratch, 3, column) - xx - yy
        covariance = _blur_along(scratch, 4, column) - xy
        A, B, C, D = 2.0 * xy + C1, 2.0 * covariance + C2, xx + yy + C1, variances + C2
        inverse = 1.0 / (C * D)
        similarity = A * B * inverse
        by_square = -similarity * C * inverse  # D occurs in the denominator alone
        by_product = 2.0 * A * inverse
        by_mean = 2.0 * (mean_y * (B - A) * inverse + similarity * mean_x * (C - D) * inverse)
        # Lanes beyond the last window must not count.
        valid = _lane_is_before(windows - column)
        total = total + select(valid, similarity, 0.0)
        at = WINDOW - 1 + column
        store_row(scratch, DERIVATIVE_ROW, at, select(valid, by_mean * step, 0.0))
        store_row(scratch, DERIVATIVE_ROW + 1, at, select(valid, by_square * step, 0.0))
        store_row(scratch, DERIVATIVE_ROW + 2, at, select(valid, by_product * step, 0.0))
    return float64(sum_lanes(total))


@inlined
def _lane_is_before(count):
    return lane_numbers() < float32(count)


@inlined
def _blur_derivatives_along(scratch, slot, width):
    """Blur the three rows of derivatives along the row, from windows back to pixels, into the ring's slot."""
    for derivative in range(NUM_DERIVATIVES):
        for column in range(0, width, LANES):
            blurred = _blur_along(scratch, DERIVATIVE_ROW + derivative, column)
            store_row(scratch, RING_ROW + derivative * WINDOW + slot, column, blurred)


@inlined
def _clear_ring(scratch, slot, width):
    for derivative in range(NUM_DERIVATIVES):
        for column in range(0, width, LANES):
            store_row(scratch, RING_ROW + derivative * WINDOW + slot, column, broadcast(float32(0)))


@inlined
def _gather_gradient(x, y, start, width, slot, scratch, gradient):
    """Blur the ring down the columns: the gradient of SSIM's part in the row whose last window is in `slot`."""
    for column in range(0, width, LANES):
        zero = broadcast(float32(0))
        by_mean, by_square, by_product = zero, zero, zero
        row = RING_ROW + slot
        for k in range(WINDOW):
            by_mean = by_mean + load_row(scratch, row, column) * WEIGHTS[k]
            by_square = by_square + load_row(scratch, row + WINDOW, column) * WEIGHTS[k]
            by_product = by_product + load_row(scratch, row + 2 * WINDOW, column) * WEIGHTS[k]
            row = row - 1 if row > RING_ROW else RING_ROW + WINDOW - 1
        count = width - column
        a, b = load_part(x, start + column, count), load_part(y, start + column, count)
        store_part(gradient, start + column, by_mean + 2.0 * a * by_square + b * by_product, count)


@inlined
def _l1_of_row(x, y, start, width, step, add, gradient):
    """The sum of |x - y| over a row; writes its gradient times `step`, or adds it."""
    total = broadcast(float32(0))
    for column in range(0, width, LANES):
        count = width - column
        difference = load_part(x, start + column, count) - load_part(y, start + column, count)
        total = total + absolute(difference)
        sign = select(difference > 0.0, step, select(difference < 0.0, -step, 0.0))
        if add:
            sign = sign + load_part(gradient, start + column, count)
        store_part(gradient, start + column, sign, count)
    return float64(sum_lanes(total))
