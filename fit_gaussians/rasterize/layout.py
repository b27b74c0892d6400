"""Where each quantity lies in the arrays that the kernels pass to each other.

Planes are float32 [K, P], one row for each quantity and one column for each Gaussian (P is N rounded up to whole
vectors); records are float32 [N, 16], one cache line for each Gaussian that is seen, nearest first.
"""

from fit_gaussians.rasterize.simd import LANES

# Planes of the Gaussians in the world.
MEAN_X, MEAN_Y, MEAN_Z, QUAT_W, QUAT_X, QUAT_Y, QUAT_Z, SCALE_X, SCALE_Y, SCALE_Z, OPACITY = range(11)
NUM_GAUSSIAN_PLANES = 11

# Planes of the Gaussians in the image. Alpha in the pixel at (dx, dy) from the centre is
# 2^(quad_xx dx² + quad_xy dx dy + quad_yy dy² + log_opacity); it is at least 1/255 inside an ellipse, whose row dy
# spans shear dy ± slope sqrt(half_height² - dy²).
(
    CENTER_X,
    CENTER_Y,
    QUAD_XX,
    QUAD_XY,
    QUAD_YY,
    LOG_OPACITY,
    SHEAR,
    SLOPE,
    HALF_HEIGHT_SQUARED,
    X_LOW,  # the pixels of the ellipse's bounding box inside the image; empty where x_low > x_high
    X_HIGH,
    Y_LOW,
    Y_HIGH,
    DEPTH,
) = range(14)
NUM_IMAGE_PLANES = 14

# Records hold the image planes 0 to 8, and then the colour.
RED, GREEN, BLUE = 9, 10, 11
RECORD_SIZE = 16

# Planes, and columns of records, of the gradients that blending hands to the projection. With v = alpha dL/dalpha,
# summed over pixels: v, v dx, v dy, v dx², v dx dy, v dy²; then the gradient of the colour.
SUM_V, SUM_X, SUM_Y, SUM_XX, SUM_XY, SUM_YY, GRAD_RED, GRAD_GREEN, GRAD_BLUE = range(9)
NUM_SUM_PLANES = 6

# Planes of the gradients of the Gaussians: those in the world, then those of the centres in the image.
GRAD_CENTER_X, GRAD_CENTER_Y = 11, 12
NUM_GRADIENT_PLANES = 13

# A camera is float32 [16]: rotation row by row, translation, fx, fy, cx, cy.
CAMERA_SIZE = 16


def padded(count: int) -> int:
    """Columns of planes that hold `count` Gaussians in whole vectors."""
    return -(-count // LANES) * LANES
