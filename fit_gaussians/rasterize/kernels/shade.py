"""Spherical harmonics on the CPU: the colours of the Gaussians for one camera, forward and backward.

Works on planes: coefficients [3 + 3 K, P], the three channels of the constant colour first, then three for each
harmonic. `harmonics.view_colors` is the same in torch.
"""

from numba import float32

from fit_gaussians.rasterize.harmonics import C1, C2, C3, basis_1, basis_2, basis_3
from fit_gaussians.rasterize.kernels.jit import inlined, kernel
from fit_gaussians.rasterize.kernels.layout import MEAN_X, MEAN_Y, MEAN_Z, RED
from fit_gaussians.rasterize.kernels.simd import LANES, broadcast, load_row, maximum, select, sqrt, store_row

_basis_1, _basis_2, _basis_3 = inlined(basis_1), inlined(basis_2), inlined(basis_3)

# Number of the first harmonic of each degree above 1, and of all.
SECOND, THIRD = 3, 8


@inlined
def _position(camera):
    """The camera's place in the world: -Rᵀ t."""
    t_x, t_y, t_z = camera[9], camera[10], camera[11]
    return (
        -(camera[0] * t_x + camera[3] * t_y + camera[6] * t_z),
        -(camera[1] * t_x + camera[4] * t_y + camera[7] * t_z),
        -(camera[2] * t_x + camera[5] * t_y + camera[8] * t_z),
    )


@inlined
def _direction(gaussians, i, position):
    """The unit vectors from the camera to the centres, and 1 / the distance."""
    x, y = load_row(gaussians, MEAN_X, i) - position[0], load_row(gaussians, MEAN_Y, i) - position[1]
    z = load_row(gaussians, MEAN_Z, i) - position[2]
    inverse = 1.0 / sqrt(maximum(x * x + y * y + z * z, broadcast(float32(1e-20))))
    return x * inverse, y * inverse, z * inverse, inverse


@inlined
def _weighted(coefficients, i, first, channel, basis):
    """The sum of harmonics `first`, `first` + 1, … of one channel."""
    total = basis[0] * load_row(coefficients, 3 + 3 * first + channel, i)
    for k in range(1, len(basis)):
        total = total + basis[k] * load_row(coefficients, 3 + 3 * (first + k) + channel, i)
    return total


@kernel
def shade(coefficients, camera, degree, count, gaussians):
    """Write the colours that the camera sees to the Gaussians' planes [14, P]; their means must be there."""
    position = _position(camera)
    for i in range(0, count, LANES):
        x, y, z, _ = _direction(gaussians, i, position)
        for channel in range(3):
            color = load_row(coefficients, channel, i)
            if degree >= 1:
                color = color + _weighted(coefficients, i, 0, channel, _basis_1(x, y, z))
            if degree >= 2:
                color = color + _weighted(coefficients, i, SECOND, channel, _basis_2(x, y, z))
            if degree >= 3:
                color = color + _weighted(coefficients, i, THIRD, channel, _basis_3(x, y, z))
            store_row(gaussians, RED + channel, i, maximum(color, broadcast(float32(0))))


@inlined
def _store_gradients(v_coefficients, i, first, channel, basis, v_color):
    for k in range(len(basis)):
        store_row(v_coefficients, 3 + 3 * (first + k) + channel, i, basis[k] * v_color)


@inlined
def _times_color(coefficients, i, k, v):
    """The gradient of harmonic k, given that of the three channels."""
    row = 3 + 3 * k
    return (
        load_row(coefficients, row, i) * v[0]
        + load_row(coefficients, row + 1, i) * v[1]
        + load_row(coefficients, row + 2, i) * v[2]
    )


@inlined
def _direction_gradient_1(coefficients, i, v):
    g0, g1 = _times_color(coefficients, i, 0, v), _times_color(coefficients, i, 1, v)
    g2 = _times_color(coefficients, i, 2, v)
    return -C1 * g2, -C1 * g0, C1 * g1


@inlined
def _direction_gradient_2(coefficients, i, v, x, y, z):
    g0, g1 = C2[0] * _times_color(coefficients, i, 3, v), -C2[0] * _times_color(coefficients, i, 4, v)
    g2, g3 = C2[1] * _times_color(coefficients, i, 5, v), -C2[0] * _times_color(coefficients, i, 6, v)
    g4 = C2[2] * _times_color(coefficients, i, 7, v)
    return (
        g0 * y - 2.0 * g2 * x + g3 * z + 2.0 * g4 * x,
        g0 * x + g1 * z - 2.0 * g2 * y - 2.0 * g4 * y,
        g1 * y + 4.0 * g2 * z + g3 * x,
    )


@inlined
def _direction_gradient_3(coefficients, i, v, x, y, z):
    g0, g1 = -C3[0] * _times_color(coefficients, i, 8, v), C3[1] * _times_color(coefficients, i, 9, v)
    g2, g3 = -C3[2] * _times_color(coefficients, i, 10, v), C3[3] * _times_color(coefficients, i, 11, v)
    g4, g5 = -C3[2] * _times_color(coefficients, i, 12, v), C3[4] * _times_color(coefficients, i, 13, v)
    g6 = -C3[0] * _times_color(coefficients, i, 14, v)
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
    return (
        6.0 * g0 * xy + g1 * yz - 2.0 * g2 * xy - 6.0 * g3 * xz + g4 * (4.0 * zz - 3.0 * xx - yy)
        + 2.0 * g5 * xz + 3.0 * g6 * (xx - yy),
        3.0 * g0 * (xx - yy) + g1 * xz + g2 * (4.0 * zz - xx - 3.0 * yy) - 6.0 * g3 * yz - 2.0 * g4 * xy
        - 2.0 * g5 * yz - 6.0 * g6 * xy,
        g1 * xy + 8.0 * g2 * yz + 3.0 * g3 * (2.0 * zz - xx - yy) + 8.0 * g4 * xz + g5 * (xx - yy),
    )  # fmt: skip


@kernel
def shade_backward(coefficients, camera, degree, count, gaussians, gradients, v_coefficients):
    """The chain rule through `shade`: fills v_coefficients [3 + 3 K, P] up to `degree` from the gradients of the
    colours in `gradients` [14, P], and adds there what the means gain by turning the direction."""
    position = _position(camera)
    for i in range(0, count, LANES):
        x, y, z, inverse = _direction(gaussians, i, position)
        v_red = select(load_row(gaussians, RED, i) > 0.0, load_row(gradients, RED, i), 0.0)
        v_green = select(load_row(gaussians, RED + 1, i) > 0.0, load_row(gradients, RED + 1, i), 0.0)
        v_blue = select(load_row(gaussians, RED + 2, i) > 0.0, load_row(gradients, RED + 2, i), 0.0)
        v = (v_red, v_green, v_blue)
        store_row(v_coefficients, 0, i, v_red)
        store_row(v_coefficients, 1, i, v_green)
        store_row(v_coefficients, 2, i, v_blue)
        v_x, v_y, v_z = broadcast(float32(0)), broadcast(float32(0)), broadcast(float32(0))
        if degree >= 1:
            for channel in range(3):
                _store_gradients(v_coefficients, i, 0, channel, _basis_1(x, y, z), v[channel])
            d_x, d_y, d_z = _direction_gradient_1(coefficients, i, v)
            v_x, v_y, v_z = v_x + d_x, v_y + d_y, v_z + d_z
        if degree >= 2:
            for channel in range(3):
                _store_gradients(v_coefficients, i, SECOND, channel, _basis_2(x, y, z), v[channel])
            d_x, d_y, d_z = _direction_gradient_2(coefficients, i, v, x, y, z)
            v_x, v_y, v_z = v_x + d_x, v_y + d_y, v_z + d_z
        if degree >= 3:
            for channel in range(3):
                _store_gradients(v_coefficients, i, THIRD, channel, _basis_3(x, y, z), v[channel])
            d_x, d_y, d_z = _direction_gradient_3(coefficients, i, v, x, y, z)
            v_x, v_y, v_z = v_x + d_x, v_y + d_y, v_z + d_z
        along = v_x * x + v_y * y + v_z * z  # the direction is a unit vector
        store_row(gradients, MEAN_X, i, load_row(gradients, MEAN_X, i) + (v_x - along * x) * inverse)
        store_row(gradients, MEAN_Y, i, load_row(gradients, MEAN_Y, i) + (v_y - along * y) * inverse)
        store_row(gradients, MEAN_Z, i, load_row(gradients, MEAN_Z, i) + (v_z - along * z) * inverse)
