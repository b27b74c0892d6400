"""Pinhole cameras around an object: all look at the origin, from one distance.

Conventions: OpenCV axes (x right, y down, z forward), pixel centres at .5, so that a centred camera has cx = W / 2.
"""

import math
from dataclasses import dataclass

import numpy as np

from render.view_sets import fibonacci

MARGIN = 1.03  # how much farther than touching: keeps the outermost pixels of every view empty


@dataclass(frozen=True)
class Cameras:
    """V square pinhole cameras that share their intrinsics."""

    resolution: int
    fov_deg: float
    world_to_camera: np.ndarray  # [V, 4, 4] float64, OpenCV axes

    @property
    def intrinsics(self) -> np.ndarray:
        """[V, 4] fx, fy, cx, cy in pixels, pixel centres at .5."""
        focal = self.resolution / 2 / math.tan(math.radians(self.fov_deg) / 2)
        one = [focal, focal, self.resolution / 2, self.resolution / 2]
        return np.tile(np.array(one, np.float64), (len(self.world_to_camera), 1))

    @property
    def positions(self) -> np.ndarray:
        """[V, 3] camera centres in the world."""
        rotation, translation = self.world_to_camera[:, :3, :3], self.world_to_camera[:, :3, 3]
        return -np.einsum("vji,vj->vi", rotation, translation)


def fibonacci_cameras(views: int, resolution: int, fov_deg: float) -> Cameras:
    """The default set: `views` cameras spread evenly over all directions."""
    return cameras_at(fibonacci(views), resolution, fov_deg)


def cameras_at(directions_V3: np.ndarray, resolution: int, fov_deg: float) -> Cameras:
    """A camera in each direction (unit vectors), so far out that an object of unit diagonal always fits."""
    # A bounding box of diagonal 1 lies inside the sphere of radius 0.5, and the cone of the field of view must hold it.
    distance = 0.5 / math.sin(math.radians(fov_deg) / 2) * MARGIN
    matrices = np.stack([look_at_origin(position) for position in directions_V3 * distance])
    return Cameras(resolution, fov_deg, matrices)


def look_at_origin(position: np.ndarray) -> np.ndarray:
    """[4, 4] world_to_camera (OpenCV axes) of a camera at `position` [3] that looks at the origin, world z upright.

    Straight above or below the origin, world y takes the place of z.
    """
    forward = -position / np.linalg.norm(position)
    up = np.array([0.0, 1.0, 0.0]) if abs(forward[2]) > 1 - 1e-9 else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ position
    return matrix


def project(
    points_N3: np.ndarray, intrinsics: np.ndarray, world_to_camera: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates [N, 2] (x, y; pixel centres at .5) and depths [N] (z in the camera's frame) in one view.

    Args:
        points_N3: world points.
        intrinsics: [4] fx, fy, cx, cy.
        world_to_camera: [4, 4] OpenCV axes.
    """
    camera_N3 = points_N3 @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    depth = camera_N3[:, 2]
    return camera_N3[:, :2] / depth[:, None] * intrinsics[:2] + intrinsics[2:], depth
