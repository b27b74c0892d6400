"""EWA splatting's parts that both passes of the projection need, LANES Gaussians at a time.

A Gaussian of covariance R S Sᵀ Rᵀ becomes one of covariance M Mᵀ + eps2d I in the image (Zwicker et al. 2001), with
M = J W R S [2, 3]; W is the camera's rotation, J the Jacobian of the perspective projection at the centre. With m₀, m₁
the rows of M, det(M Mᵀ) = |m₀ x m₁|² (Lagrange), which does not cancel for flat Gaussians. Vectors and matrices are
tuples, those of matrices of rows.
"""

from numba import float32

from fit_gaussians.rasterize.conventions import FAR_PLANE, FRUSTUM_MARGIN, NEAR_PLANE
from fit_gaussians.rasterize.kernels.jit import inlined
from fit_gaussians.rasterize.kernels.layout import (
    MEAN_X,
    MEAN_Y,
    MEAN_Z,
    QUAT_W,
    QUAT_X,
    QUAT_Y,
    QUAT_Z,
    SCALE_X,
    SCALE_Y,
    SCALE_Z,
)
from fit_gaussians.rasterize.kernels.simd import absolute, broadcast, load_row, maximum, minimum, select, sqrt
from pipeline.values import quaternions

rotation_rows = inlined(quaternions.rotation_rows)


@inlined
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def _cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@inlined
def times_rows(a, rows):
    """The row vector a times the 3x3 matrix of these rows."""
    return (
        a[0] * rows[0][0] + a[1] * rows[1][0] + a[2] * rows[2][0],
        a[0] * rows[0][1] + a[1] * rows[1][1] + a[2] * rows[2][1],
        a[0] * rows[0][2] + a[1] * rows[1][2] + a[2] * rows[2][2],
    )


@inlined
def times_columns(a, rows):
    """The row vector a times the transpose of the 3x3 matrix of these rows."""
    return (dot(a, rows[0]), dot(a, rows[1]), dot(a, rows[2]))


@inlined
def camera_rows(camera):
    return (
        (camera[0], camera[1], camera[2]),
        (camera[3], camera[4], camera[5]),
        (camera[6], camera[7], camera[8]),
    )


@inlined
def unit_quaternion(gaussians, i):
    """The normalised quaternion (w, x, y, z), and 1 / its norm."""
    w, x = load_row(gaussians, QUAT_W, i), load_row(gaussians, QUAT_X, i)
    y, z = load_row(gaussians, QUAT_Y, i), load_row(gaussians, QUAT_Z, i)
    # Divided by the largest component first, so that squares neither overflow nor vanish.
    largest = maximum(maximum(absolute(w), absolute(x)), maximum(absolute(y), absolute(z)))
    w, x, y, z = w / largest, x / largest, y / largest, z / largest
    inverse = 1.0 / sqrt(w * w + x * x + y * y + z * z)
    return (w * inverse, x * inverse, y * inverse, z * inverse), inverse / largest


@inlined
def to_camera(gaussians, i, camera):
    """The centres (x, y, z) in the camera's frame, z replaced by 1 where it is out of range; and where it is not."""
    mean = (load_row(gaussians, MEAN_X, i), load_row(gaussians, MEAN_Y, i), load_row(gaussians, MEAN_Z, i))
    x, y, z = times_columns(mean, camera_rows(camera))
    x, y, z = x + camera[9], y + camera[10], z + camera[11]
    in_range = (z > NEAR_PLANE) & (z < FAR_PLANE)
    return x, y, select(in_range, z, 1.0), in_range


@inlined
def slope_limits(focal, center, size):
    """The slopes x / z of the image's edges, with a margin outside them."""
    margin = float32(FRUSTUM_MARGIN) * size / focal
    return -center / focal - margin, (size - center) / focal + margin


@inlined
def clamp(a, low, high):
    return minimum(maximum(a, broadcast(low)), broadcast(high))


@inlined
def jacobian_times_rotation(slope_x, slope_y, inverse_z, camera):
    """The rows of J W."""
    j00, j02 = camera[12] * inverse_z, -camera[12] * slope_x * inverse_z
    j11, j12 = camera[13] * inverse_z, -camera[13] * slope_y * inverse_z
    rows = camera_rows(camera)
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
def scales_of(gaussians, i):
    return load_row(gaussians, SCALE_X, i), load_row(gaussians, SCALE_Y, i), load_row(gaussians, SCALE_Z, i)


@inlined
def scaled(a, scales):
    return (a[0] * scales[0], a[1] * scales[1], a[2] * scales[2])


@inlined
def covariance_in_image(m_x, m_y, eps2d):
    """xx, xy, yy of M Mᵀ + eps2d I, its determinant, and the determinant of M Mᵀ."""
    normal = _cross(m_x, m_y)
    sharp_determinant = dot(normal, normal)
    sharp_xx, sharp_yy = dot(m_x, m_x), dot(m_y, m_y)
    determinant = sharp_determinant + eps2d * (sharp_xx + sharp_yy) + eps2d * eps2d
    return sharp_xx + eps2d, dot(m_x, m_y), sharp_yy + eps2d, determinant, sharp_determinant
