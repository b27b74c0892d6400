"""From the corpus's frame to the model's: the one place where the two conventions meet.

Corpus: z up, the bounding box' diagonal is 1. Model (as Uni3D was trained): y up, the mean of the points at the origin,
the farthest point at distance 1.
"""

import numpy as np

from model.data.similarity import rotate, scale_and_shift
from pipeline.values.frames import Y_UP_TO_Z_UP
from pipeline.values.packed import MEANS


def to_model_frame(gaussians: np.ndarray) -> np.ndarray:
    """Gaussians [N, 14] of the corpus in the model's frame; orientations and scales follow the means."""
    turned = rotate(gaussians, Y_UP_TO_Z_UP.T)
    center = turned[:, MEANS].mean(axis=0, dtype=np.float64)
    radius = np.linalg.norm(turned[:, MEANS] - center, axis=1).max()
    factor = 1.0 / max(float(radius), 1e-12)
    return scale_and_shift(turned, factor, -center * factor)
