"""Where each quantity lies in the arrays that the kernels pass to each other.

Planes are float32 [K, P], one row for each quantity and one column for each Gaussian (P is N rounded up to whole
vectors); records are float32 [P, 16], one cache line for each Gaussian.
"""

from fit_gaussians.rasterize.kernels.simd import LANES

# Planes of the Gaussians in the world, and of their gradients.
MEAN_X, MEAN_Y, MEAN_Z, QUAT_W, QUAT_X, QUAT_Y, QUAT_Z, SCALE_X, SCALE_Y, SCALE_Z, OPACITY, RED, GREEN, BLUE = range(14)
NUM_GAUSSIAN_PLANES = 14

# Records of the Gaussians in the image. Alpha in the pixel at (dx, dy) from the centre is
# 2^(quad_xx dx² + quad_xy dx dy + quad_yy dy² + log_opacity); it is at least 1/255 inside an ellipse, whose row dy
# spans shear dy ± slope sqrt(half_height_squared - dy²). The box holds the ellipse's pixels inside the image, as
# whole numbers; it is empty (low > high) for a Gaussian that is not drawn.
CENTER_X, CENTER_Y, QUAD_XX, QUAD_XY, QUAD_YY, LOG_OPACITY, SHEAR, SLOPE = range(8)
HALF_HEIGHT_SQUARED, X_LOW, X_HIGH, Y_LOW, Y_HIGH, RECORD_RED, RECORD_GREEN, RECORD_BLUE = range(8, 16)
RECORD_SIZE = 16

# Records of what blending sums up over pixels for the projection. With v = alpha dL/dalpha:
# v, v dx, v dy, v dx², v dx dy, v dy²; then the gradient of the colour.
SUM_V, SUM_X, SUM_Y, SUM_XX, SUM_XY, SUM_YY, SUM_RED, SUM_GREEN, SUM_BLUE = range(9)

# A camera is float32 [16]: rotation row by row, translation, fx, fy, cx, cy.
CAMERA_SIZE = 16


def padded(count: int) -> int:
    """Columns of planes that hold `count` Gaussians in whole vectors."""
    return -(-count // LANES) * LANES
