"""Random changes of a splat in the model's frame (y up), done right for Gaussians: orientations and scales follow."""

import numpy as np

from model.config import AugmentConfig
from model.data.similarity import rotate, scale_and_shift
from pipeline.values.packed import COLORS

GREY = 0.4  # Uni3D's stand-in for a missing colour


def augment(gaussians: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """A changed copy of gaussians [N, 14]: scaled and shifted, tilted and turned about y, perhaps without colour."""
    factor = rng.uniform(*config.scale)
    shift = rng.uniform(-config.shift, config.shift, 3)
    tilts = np.clip(rng.normal(0, config.tilt, 3), -config.max_tilt, config.max_tilt)
    yaw = rng.uniform(0, 2 * np.pi) if config.yaw else 0.0
    rotation = axis_rotation(1, yaw)
    for axis in range(3):
        rotation = axis_rotation(axis, tilts[axis]) @ rotation
    changed = rotate(scale_and_shift(gaussians, factor, shift), rotation)
    if rng.random() < config.color_drop:
        changed[:, COLORS] = GREY
    return changed


def axis_rotation(axis: int, angle: float) -> np.ndarray:
    """[3, 3] rotation by `angle` (radians) about the coordinate axis 0, 1 or 2."""
    j, k = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[j, j] = rotation[k, k] = np.cos(angle)
    rotation[j, k], rotation[k, j] = -np.sin(angle), np.sin(angle)
    return rotation
