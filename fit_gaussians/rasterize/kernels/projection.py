"""Projection of Gaussians into one camera, the forward pass (for the maths see `ewa`)."""

import numpy as np
from numba import float32

from fit_gaussians.rasterize.conventions import ALPHA_MIN, DETERMINANT_MIN
from fit_gaussians.rasterize.kernels.ewa import (
    clamp,
    covariance_in_image,
    jacobian_times_rotation,
    rotation_rows,
    scaled,
    scales_of,
    slope_limits,
    times_rows,
    to_camera,
    unit_quaternion,
)
from fit_gaussians.rasterize.kernels.jit import kernel
from fit_gaussians.rasterize.kernels.layout import BLUE, GREEN, OPACITY, RED
from fit_gaussians.rasterize.kernels.simd import (
    LANES,
    absolute,
    ceil,
    floor,
    load_row,
    log2,
    select,
    sqrt,
    store,
    store_columns,
)

LOG2_E = float32(np.log2(np.e))
LN_2 = float32(np.log(2))
LOG2_ALPHA_MIN = float32(np.log2(ALPHA_MIN))
# float32 overflows somewhere beyond these; such Gaussians are not drawn.
DETERMINANT_MAX = float32(1e16)
CENTER_MAX = float32(1e7)


@kernel
def project(gaussians, camera, width, height, eps2d, antialiased, count, records, depths):
    """Fill records [P, 16] and depths [P] from the Gaussians' planes [14, P]: see `layout`."""
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    low_x, high_x = slope_limits(fx, cx, float32(width))
    low_y, high_y = slope_limits(fy, cy, float32(height))
    for i in range(0, count, LANES):
        x, y, z, in_range = to_camera(gaussians, i, camera)
        inverse_z = 1.0 / z
        slope_x, slope_y = x * inverse_z, y * inverse_z
        center_x, center_y = slope_x * fx + cx, slope_y * fy + cy
        view_x, view_y = jacobian_times_rotation(
            clamp(slope_x, low_x, high_x), clamp(slope_y, low_y, high_y), inverse_z, camera
        )
        q, _ = unit_quaternion(gaussians, i)
        rotation, scales = rotation_rows(*q), scales_of(gaussians, i)
        m_x, m_y = scaled(times_rows(view_x, rotation), scales), scaled(times_rows(view_y, rotation), scales)
        xx, xy, yy, determinant, sharp_determinant = covariance_in_image(m_x, m_y, eps2d)
        inverse_det = 1.0 / determinant

        opacity = load_row(gaussians, OPACITY, i)
        if antialiased:
            opacity = opacity * sqrt(sharp_determinant * inverse_det)
        log_opacity = log2(opacity)
        reach = (2.0 * LN_2) * (log_opacity - LOG2_ALPHA_MIN)  # Mahalanobis distance² at which alpha is 1/255
        half_width, half_height_squared = sqrt(reach * xx), reach * yy
        half_height = sqrt(half_height_squared)
        drawn = in_range & (opacity >= ALPHA_MIN)
        drawn = drawn & (determinant > DETERMINANT_MIN) & (determinant < DETERMINANT_MAX)
        drawn = drawn & (absolute(center_x) < CENTER_MAX) & (absolute(center_y) < CENTER_MAX)

        x_low = clamp(ceil(center_x - half_width - 0.5), float32(0), float32(width))
        x_high = clamp(floor(center_x + half_width - 0.5), float32(-1), float32(width - 1))
        y_low = clamp(ceil(center_y - half_height - 0.5), float32(0), float32(height))
        y_high = clamp(floor(center_y + half_height - 0.5), float32(-1), float32(height - 1))
        x_low = select(drawn, x_low, float32(width))
        quad_xx, quad_yy = (-0.5 * LOG2_E) * yy * inverse_det, (-0.5 * LOG2_E) * xx * inverse_det
        quad_xy = LOG2_E * xy * inverse_det
        shear, slope = xy / yy, sqrt(determinant) / yy
        red, green, blue = load_row(gaussians, RED, i), load_row(gaussians, GREEN, i), load_row(gaussians, BLUE, i)
        # In the order of the layout's columns 0 to 7 and 8 to 15.
        store_columns(records, i, 0, (center_x, center_y, quad_xx, quad_xy, quad_yy, log_opacity, shear, slope))
        store_columns(records, i, 8, (half_height_squared, x_low, x_high, y_low, y_high, red, green, blue))
        store(depths, i, z)
