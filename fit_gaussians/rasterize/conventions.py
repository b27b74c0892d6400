"""The numbers on which all three implementations agree (gsplat's)."""

NEAR_PLANE = 0.01
"""Gaussians with their centre nearer than this are not drawn."""
FAR_PLANE = 1e10
ALPHA_MIN = 1 / 255
"""A Gaussian is skipped in a pixel where its alpha is smaller."""
ALPHA_MAX = 0.999
"""Alpha is clamped to this, so that what lies behind keeps a gradient."""
TRANSMITTANCE_MIN = 1e-4
"""Blending of a pixel stops before its transmittance would fall to this or below."""
FRUSTUM_MARGIN = 0.15
"""The Jacobian of the projection is taken no farther outside the image than this share of its size (3DGS's 1.3)."""
DETERMINANT_MIN = 1e-8
"""Projected Gaussians with a smaller determinant (pixels⁴) are not drawn; below any that eps2d > 0.0001 leaves."""
