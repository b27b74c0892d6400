"""Between what a Gaussian is and the unconstrained numbers that an optimiser moves."""

import numpy as np

SCALE_BOUNDS = (1e-6, 1.0)
"""World units, where the object's diagonal is 1: far outside of what a fit needs, well inside of what floats hold."""


def logit(probability: np.ndarray) -> np.ndarray:
    """The inverse of the sigmoid, finite at 0 and 1 too."""
    probability = probability.clip(1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))
