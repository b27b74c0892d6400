"""Relocation of dead Gaussians onto live ones, as in 3D Gaussian Splatting as Markov Chain Monte Carlo (Kheradmand et
al. 2024).

Gaussians that have become transparent show nothing. Each is put in the place of a live one, drawn with a probability
in proportion to its opacity, and the two (or more) in that place share its opacity and shrink, so that together they
look nearly as the one did before (eq. 9). Their number stays the same; what follows pulls them apart.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

DEAD_OPACITY = 0.05
"""Below it a Gaussian is dead. (The paper's 0.005 is for 30,000 steps: in our few hundred nothing fades so far.)"""
MAX_SHARERS = 51
"""At most this many Gaussians share a place in the correction (as in the paper's code)."""


@dataclass(frozen=True)
class Relocation:
    """What is to become of D dead Gaussians, and of the live ones that they join.

    Attributes:
        dead: [D] indices of Gaussians that take the place of `sources`.
        sources: [D] indices of live Gaussians, some of them several times.
        opacities: [D] of the dead one and its source afterwards.
        scale_factors: [D] on the scales of the source, for both.
    """

    dead: np.ndarray
    sources: np.ndarray
    opacities: np.ndarray
    scale_factors: np.ndarray


def plan_relocation(opacities: np.ndarray, rng: np.random.Generator) -> Relocation | None:
    """Where the dead among N Gaussians of these opacities [N] go; None if none is dead, or all are."""
    is_dead = opacities < DEAD_OPACITY
    dead, alive = np.flatnonzero(is_dead), np.flatnonzero(~is_dead)
    if not len(dead) or not len(alive):
        return None
    weights = opacities[alive].astype(np.float64)
    sources = rng.choice(alive, len(dead), p=weights / weights.sum())
    sharers = 1 + np.bincount(sources, minlength=len(opacities))[sources]
    shared, factors = share(opacities[sources], sharers)
    return Relocation(dead, sources, shared, factors)


def share(opacities: np.ndarray, sharers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opacity of each of n Gaussians in the place of one, and the factor on its scales: eq. 9 of the paper.

    Args:
        opacities: [D] of the one, in (0, 1).
        sharers: [D] n, at least 1.
    """
    old = opacities.astype(np.float64)
    sharers = np.minimum(sharers, MAX_SHARERS)
    new = 1 - (1 - old) ** (1 / sharers)
    total = np.zeros_like(old)
    for i in range(1, int(sharers.max()) + 1):
        terms = sum((-1) ** k * comb(i - 1, k) * new ** (k + 1) / np.sqrt(k + 1) for k in range(i))
        total += np.where(i <= sharers, terms, 0)
    return new.astype(np.float32), (old / total).astype(np.float32)
