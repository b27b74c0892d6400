"""Projection of Gaussians into one camera, forward and backward, eight at a time.

EWA splatting (Zwicker et al. 2001): a Gaussian of covariance R S Sᵀ Rᵀ becomes one of covariance M Mᵀ + eps2d I in
the image, with M = J W R S [2, 3]; W is the camera's rotation, J the Jacobian of the perspective projection at the
centre. With m₀, m₁ the rows of M, det(M Mᵀ) = |m₀ x m₁|² (Lagrange), which does not cancel for flat Gaussians.
"""

import numpy as np
from numba import float32

from fit_gaussians.rasterize.conventions import ALPHA_MIN, DETERMINANT_MIN, FAR_PLANE, FRUSTUM_MARGIN, NEAR_PLANE
from fit_gaussians.rasterize.jit import inlined, kernel
from fit_gaussians.rasterize.layout import (
    BLUE,
    CENTER_X_GRADIENT,
    CENTER_Y_GRADIENT,
    GREEN,
    MEAN_X,
    MEAN_Y,
    MEAN_Z,
    OPACITY,
    QUAT_W,
    QUAT_X,
    QUAT_Y,
    QUAT_Z,
    RED,
    SCALE_X,
    SCALE_Y,
    SCALE_Z,
    SUM_BLUE,
    SUM_V,
    X_HIGH,
    X_LOW,
)
from fit_gaussians.rasterize.simd import (
    LANES,
    absolute,
    broadcast,
    ceil,
    floor,
    load_columns,
    load_row,
    log2,
    maximum,
    minimum,
    select,
    sqrt,
    store,
    store_columns,
    store_row,
)

LOG2_E = float32(np.log2(np.e))
LN_2 = float32(np.log(2))
LOG2_ALPHA_MIN = float32(np.log2(ALPHA_MIN))
# float32 overflows somewhere beyond these; such Gaussians are not drawn.
DETERMINANT_MAX = float32(1e16)
CENTER_MAX = float32(1e7)


@inlined
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def _cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@inlined
def _times_rows(a, rows):
    """The row vector a times the 3x3 matrix of these rows."""
    return (
        a[0] * rows[0][0] + a[1] * rows[1][0] + a[2] * rows[2][0],
        a[0] * rows[0][1] + a[1] * rows[1][1] + a[2] * rows[2][1],
        a[0] * rows[0][2] + a[1] * rows[1][2] + a[2] * rows[2][2],
    )


@inlined
def _times_columns(a, rows):
    """The row vector a times the transpose of the 3x3 matrix of these rows."""
    return (_dot(a, rows[0]), _dot(a, rows[1]), _dot(a, rows[2]))


@inlined
def _camera_rows(camera):
    return (
        (camera[0], camera[1], camera[2]),
        (camera[3], camera[4], camera[5]),
        (camera[6], camera[7], camera[8]),
    )


@inlined
def _unit_quaternion(gaussians, i):
    """The normalised quaternion (w, x, y, z), and 1 / its norm."""
    w, x = load_row(gaussians, QUAT_W, i), load_row(gaussians, QUAT_X, i)
    y, z = load_row(gaussians, QUAT_Y, i), load_row(gaussians, QUAT_Z, i)
    # Divided by the largest component first, so that squares neither overflow nor vanish.
    largest = maximum(maximum(absolute(w), absolute(x)), maximum(absolute(y), absolute(z)))
    w, x, y, z = w / largest, x / largest, y / largest, z / largest
    inverse = 1.0 / sqrt(w * w + x * x + y * y + z * z)
    return (w * inverse, x * inverse, y * inverse, z * inverse), inverse / largest


@inlined
def _rotation_rows(q):
    w, x, y, z = q
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


@inlined
def _to_camera(gaussians, i, camera):
    """The centres (x, y, z) in the camera's frame, z replaced by 1 where it is out of range; and where it is not."""
    mean = (load_row(gaussians, MEAN_X, i), load_row(gaussians, MEAN_Y, i), load_row(gaussians, MEAN_Z, i))
    x, y, z = _times_columns(mean, _camera_rows(camera))
    x, y, z = x + camera[9], y + camera[10], z + camera[11]
    in_range = (z > NEAR_PLANE) & (z < FAR_PLANE)
    return x, y, select(in_range, z, 1.0), in_range


@inlined
def _slope_limits(focal, center, size):
    """The slopes x / z of the image's edges, with a margin outside them."""
    margin = float32(FRUSTUM_MARGIN) * size / focal
    return -center / focal - margin, (size - center) / focal + margin


@inlined
def _clamp(a, low, high):
    return minimum(maximum(a, broadcast(low)), broadcast(high))


@inlined
def _jacobian_times_rotation(slope_x, slope_y, inverse_z, camera):
    """The rows of J W."""
    j00, j02 = camera[12] * inverse_z, -camera[12] * slope_x * inverse_z
    j11, j12 = camera[13] * inverse_z, -camera[13] * slope_y * inverse_z
    rows = _camera_rows(camera)
    row_x = (
        j00 * rows[0][0] + j02 * rows[2][0],
        j00 * rows[0][1] + j02 * rows[2][1],
        j00 * rows[0][2] + j02 * rows[2][2],
    )
    row_y = (
        j11 * rows[1][0] + j12 * rows[2][0],
        j11 * rows[1][1] + j12 * rows[2][1],
        j11 * rows[1][2] + j12 * rows[2][2],
    )
    return row_x, row_y


@inlined
def _scales(gaussians, i):
    return load_row(gaussians, SCALE_X, i), load_row(gaussians, SCALE_Y, i), load_row(gaussians, SCALE_Z, i)


@inlined
def _scaled(a, scales):
    return (a[0] * scales[0], a[1] * scales[1], a[2] * scales[2])


@inlined
def _covariance(m_x, m_y, eps2d):
    """xx, xy, yy of M Mᵀ + eps2d I, its determinant, and the determinant of M Mᵀ."""
    normal = _cross(m_x, m_y)
    sharp_determinant = _dot(normal, normal)
    sharp_xx, sharp_yy = _dot(m_x, m_x), _dot(m_y, m_y)
    determinant = sharp_determinant + eps2d * (sharp_xx + sharp_yy) + eps2d * eps2d
    return sharp_xx + eps2d, _dot(m_x, m_y), sharp_yy + eps2d, determinant, sharp_determinant


@kernel
def project(gaussians, camera, width, height, eps2d, antialiased, count, records, depths):
    """Fill records [P, 16] and depths [P] from the Gaussians' planes [14, P]: see `layout`."""
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    low_x, high_x = _slope_limits(fx, cx, float32(width))
    low_y, high_y = _slope_limits(fy, cy, float32(height))
    for i in range(0, count, LANES):
        x, y, z, in_range = _to_camera(gaussians, i, camera)
        inverse_z = 1.0 / z
        slope_x, slope_y = x * inverse_z, y * inverse_z
        center_x, center_y = slope_x * fx + cx, slope_y * fy + cy
        view_x, view_y = _jacobian_times_rotation(
            _clamp(slope_x, low_x, high_x), _clamp(slope_y, low_y, high_y), inverse_z, camera
        )
        q, _ = _unit_quaternion(gaussians, i)
        rotation, scales = _rotation_rows(q), _scales(gaussians, i)
        m_x, m_y = _scaled(_times_rows(view_x, rotation), scales), _scaled(_times_rows(view_y, rotation), scales)
        xx, xy, yy, determinant, sharp_determinant = _covariance(m_x, m_y, eps2d)
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

        x_low = _clamp(ceil(center_x - half_width - 0.5), float32(0), float32(width))
        x_high = _clamp(floor(center_x + half_width - 0.5), float32(-1), float32(width - 1))
        y_low = _clamp(ceil(center_y - half_height - 0.5), float32(0), float32(height))
        y_high = _clamp(floor(center_y + half_height - 0.5), float32(-1), float32(height - 1))
        x_low = select(drawn, x_low, float32(width))
        quad_xx, quad_yy = (-0.5 * LOG2_E) * yy * inverse_det, (-0.5 * LOG2_E) * xx * inverse_det
        quad_xy = LOG2_E * xy * inverse_det
        shear, slope = xy / yy, sqrt(determinant) / yy
        red, green, blue = load_row(gaussians, RED, i), load_row(gaussians, GREEN, i), load_row(gaussians, BLUE, i)
        # In the order of the layout's columns 0 to 7 and 8 to 15.
        store_columns(records, i, 0, (center_x, center_y, quad_xx, quad_xy, quad_yy, log_opacity, shear, slope))
        store_columns(records, i, 8, (half_height_squared, x_low, x_high, y_low, y_high, red, green, blue))
        store(depths, i, z)


@inlined
def _quaternion_gradient(g, q, inverse_norm):
    """The gradient of a quaternion of any norm, given that of its rotation matrix, g (rows)."""
    w, x, y, z = q
    v_w = 2.0 * (x * (g[2][1] - g[1][2]) + y * (g[0][2] - g[2][0]) + z * (g[1][0] - g[0][1]))
    v_x = 2.0 * (
        y * (g[1][0] + g[0][1]) + z * (g[2][0] + g[0][2]) + w * (g[2][1] - g[1][2]) - 2.0 * x * (g[1][1] + g[2][2])
    )
    v_y = 2.0 * (
        x * (g[1][0] + g[0][1]) + z * (g[2][1] + g[1][2]) + w * (g[0][2] - g[2][0]) - 2.0 * y * (g[0][0] + g[2][2])
    )
    v_z = 2.0 * (
        x * (g[2][0] + g[0][2]) + y * (g[2][1] + g[1][2]) + w * (g[1][0] - g[0][1]) - 2.0 * z * (g[0][0] + g[1][1])
    )
    along = v_w * w + v_x * x + v_y * y + v_z * z  # normalisation lets no gradient pass along the quaternion itself
    return (
        (v_w - along * w) * inverse_norm,
        (v_x - along * x) * inverse_norm,
        (v_y - along * y) * inverse_norm,
        (v_z - along * z) * inverse_norm,
    )


@inlined
def _outer_sum(a, b, c, d):
    """The rows of aᵀ b + cᵀ d."""
    return (
        (a[0] * b[0] + c[0] * d[0], a[0] * b[1] + c[0] * d[1], a[0] * b[2] + c[0] * d[2]),
        (a[1] * b[0] + c[1] * d[0], a[1] * b[1] + c[1] * d[1], a[1] * b[2] + c[1] * d[2]),
        (a[2] * b[0] + c[2] * d[0], a[2] * b[1] + c[2] * d[1], a[2] * b[2] + c[2] * d[2]),
    )


@inlined
def _covariance_gradient(s_xx, s_xy, s_yy, conic_xx, conic_xy, conic_yy):
    """The entries xx, xy, yy of 2 dL/dΣ' = Q S Q, Q being the conic and S the second moments that blending summed.

    ln alpha = -½ dᵀ Q d + ln opacity, so dL/dQ = -½ S; and dΣ'⁻¹ = -Q dΣ' Q.
    """
    qs_xx, qs_xy = conic_xx * s_xx + conic_xy * s_xy, conic_xx * s_xy + conic_xy * s_yy
    qs_yx, qs_yy = conic_xy * s_xx + conic_yy * s_xy, conic_xy * s_xy + conic_yy * s_yy
    return (
        qs_xx * conic_xx + qs_xy * conic_xy,
        qs_xx * conic_xy + qs_xy * conic_yy,
        qs_yx * conic_xy + qs_yy * conic_yy,
    )


@kernel
def project_backward(gaussians, camera, width, height, eps2d, antialiased, count, records, sums, gradients):
    """Fill the gradients' planes [16, P] from the sums [P, 16] that blending left: the chain rule through `project`."""
    fx, fy = camera[12], camera[13]
    low_x, high_x = _slope_limits(fx, camera[14], float32(width))
    low_y, high_y = _slope_limits(fy, camera[15], float32(height))
    for i in range(0, count, LANES):
        x, y, z, _ = _to_camera(gaussians, i, camera)
        inverse_z = 1.0 / z
        slope_x, slope_y = x * inverse_z, y * inverse_z
        held_x, held_y = _clamp(slope_x, low_x, high_x), _clamp(slope_y, low_y, high_y)
        view_x, view_y = _jacobian_times_rotation(held_x, held_y, inverse_z, camera)
        q, inverse_norm = _unit_quaternion(gaussians, i)
        rotation, scales = _rotation_rows(q), _scales(gaussians, i)
        turned_x, turned_y = _times_rows(view_x, rotation), _times_rows(view_y, rotation)
        m_x, m_y = _scaled(turned_x, scales), _scaled(turned_y, scales)
        xx, xy, yy, determinant, sharp_determinant = _covariance(m_x, m_y, eps2d)
        inverse_det = 1.0 / determinant
        conic_xx, conic_xy, conic_yy = yy * inverse_det, -xy * inverse_det, xx * inverse_det

        box = load_columns(records, i, 8)
        drawn = box[X_LOW - 8] <= box[X_HIGH - 8]
        sum_v, sum_x, sum_y, sum_xx, sum_xy, sum_yy, sum_red, sum_green = load_columns(sums, i, SUM_V)
        sum_blue = load_columns(sums, i, SUM_BLUE)[0]
        v_opacity = sum_v / load_row(gaussians, OPACITY, i)
        v_center_x = conic_xx * sum_x + conic_xy * sum_y
        v_center_y = conic_xy * sum_x + conic_yy * sum_y
        v_xx, v_xy, v_yy = _covariance_gradient(sum_xx, sum_xy, sum_yy, conic_xx, conic_xy, conic_yy)
        if antialiased:  # 2 d ln(compensation) / dΣ = Σ⁻¹ - (Σ + eps2d I)⁻¹
            inverse_sharp = 1.0 / sharp_determinant
            v_xx = v_xx + sum_v * ((yy - eps2d) * inverse_sharp - conic_xx)
            v_xy = v_xy + sum_v * (-xy * inverse_sharp - conic_xy)
            v_yy = v_yy + sum_v * ((xx - eps2d) * inverse_sharp - conic_yy)

        # Σ = M Mᵀ: dL/dM = 2 dL/dΣ M; M = J W R S.
        v_m_x = (v_xx * m_x[0] + v_xy * m_y[0], v_xx * m_x[1] + v_xy * m_y[1], v_xx * m_x[2] + v_xy * m_y[2])
        v_m_y = (v_xy * m_x[0] + v_yy * m_y[0], v_xy * m_x[1] + v_yy * m_y[1], v_xy * m_x[2] + v_yy * m_y[2])
        v_turned_x, v_turned_y = _scaled(v_m_x, scales), _scaled(v_m_y, scales)
        v_rotation = _outer_sum(view_x, v_turned_x, view_y, v_turned_y)
        v_w, v_qx, v_qy, v_qz = _quaternion_gradient(v_rotation, q, inverse_norm)
        v_view_x, v_view_y = _times_columns(v_turned_x, rotation), _times_columns(v_turned_y, rotation)
        rows = _camera_rows(camera)
        v_j00, v_j02 = _dot(v_view_x, rows[0]), _dot(v_view_x, rows[2])
        v_j11, v_j12 = _dot(v_view_y, rows[1]), _dot(v_view_y, rows[2])

        # The centre moves its projection and J; a slope that is held at the margin does not move.
        free_x = select((slope_x > low_x) & (slope_x < high_x), 1.0, 0.0)
        free_y = select((slope_y > low_y) & (slope_y < high_y), 1.0, 0.0)
        by_z = inverse_z * inverse_z
        v_x = fx * (v_center_x * inverse_z - free_x * v_j02 * by_z)
        v_y = fy * (v_center_y * inverse_z - free_y * v_j12 * by_z)
        v_z = by_z * (
            fx * (v_j02 * held_x * (1.0 + free_x) - v_j00 - v_center_x * x)
            + fy * (v_j12 * held_y * (1.0 + free_y) - v_j11 - v_center_y * y)
        )
        v_mean = _times_rows((v_x, v_y, v_z), rows)

        store_row(gradients, MEAN_X, i, select(drawn, v_mean[0], 0.0))
        store_row(gradients, MEAN_Y, i, select(drawn, v_mean[1], 0.0))
        store_row(gradients, MEAN_Z, i, select(drawn, v_mean[2], 0.0))
        store_row(gradients, QUAT_W, i, select(drawn, v_w, 0.0))
        store_row(gradients, QUAT_X, i, select(drawn, v_qx, 0.0))
        store_row(gradients, QUAT_Y, i, select(drawn, v_qy, 0.0))
        store_row(gradients, QUAT_Z, i, select(drawn, v_qz, 0.0))
        store_row(gradients, SCALE_X, i, select(drawn, v_m_x[0] * turned_x[0] + v_m_y[0] * turned_y[0], 0.0))
        store_row(gradients, SCALE_Y, i, select(drawn, v_m_x[1] * turned_x[1] + v_m_y[1] * turned_y[1], 0.0))
        store_row(gradients, SCALE_Z, i, select(drawn, v_m_x[2] * turned_x[2] + v_m_y[2] * turned_y[2], 0.0))
        store_row(gradients, OPACITY, i, select(drawn, v_opacity, 0.0))
        store_row(gradients, RED, i, sum_red)
        store_row(gradients, GREEN, i, sum_green)
        store_row(gradients, BLUE, i, sum_blue)
        store_row(gradients, CENTER_X_GRADIENT, i, select(drawn, v_center_x, 0.0))
        store_row(gradients, CENTER_Y_GRADIENT, i, select(drawn, v_center_y, 0.0))
