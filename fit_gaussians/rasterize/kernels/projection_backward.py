"""Projection backward: from the sums that blending left to the gradients of the Gaussians (for the maths see `ewa`)."""

from numba import float32

from fit_gaussians.rasterize.kernels.ewa import (
    camera_rows,
    clamp,
    covariance_in_image,
    dot,
    jacobian_times_rotation,
    rotation_rows,
    scaled,
    scales_of,
    slope_limits,
    times_columns,
    times_rows,
    to_camera,
    unit_quaternion,
)
from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import (
    BLUE,
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
from fit_gaussians.rasterize.kernels.simd import LANES, load_columns, load_row, select, store_row


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
    """Fill the gradients' planes [14, P] from the sums [P, 16] that blending left: the chain rule through `project`."""
    fx, fy = camera[12], camera[13]
    low_x, high_x = slope_limits(fx, camera[14], float32(width))
    low_y, high_y = slope_limits(fy, camera[15], float32(height))
    for i in range(0, count, LANES):
        x, y, z, _ = to_camera(gaussians, i, camera)
        inverse_z = 1.0 / z
        slope_x, slope_y = x * inverse_z, y * inverse_z
        held_x, held_y = clamp(slope_x, low_x, high_x), clamp(slope_y, low_y, high_y)
        view_x, view_y = jacobian_times_rotation(held_x, held_y, inverse_z, camera)
        q, inverse_norm = unit_quaternion(gaussians, i)
        rotation, scales = rotation_rows(*q), scales_of(gaussians, i)
        turned_x, turned_y = times_rows(view_x, rotation), times_rows(view_y, rotation)
        m_x, m_y = scaled(turned_x, scales), scaled(turned_y, scales)
        xx, xy, yy, determinant, sharp_determinant = covariance_in_image(m_x, m_y, eps2d)
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
        v_turned_x, v_turned_y = scaled(v_m_x, scales), scaled(v_m_y, scales)
        v_rotation = _outer_sum(view_x, v_turned_x, view_y, v_turned_y)
        v_w, v_qx, v_qy, v_qz = _quaternion_gradient(v_rotation, q, inverse_norm)
        v_view_x, v_view_y = times_columns(v_turned_x, rotation), times_columns(v_turned_y, rotation)
        rows = camera_rows(camera)
        v_j00, v_j02 = dot(v_view_x, rows[0]), dot(v_view_x, rows[2])
        v_j11, v_j12 = dot(v_view_y, rows[1]), dot(v_view_y, rows[2])

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
        v_mean = times_rows((v_x, v_y, v_z), rows)

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
