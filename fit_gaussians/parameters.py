"""What the optimiser changes: unconstrained tensors behind a batch of splats, and the way there and back."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.activation import SCALE_BOUNDS, logit
from fit_gaussians.gaussians import ATTRIBUTES, Gaussians, rest_count

PADDING_LOGIT = -30.0
"""Opacity of the Gaussians that pad a smaller splat of a batch: never drawn, hence never moved."""


class GaussianParameters:
    """B splats of N Gaussians each, N that of the largest; smaller ones are padded with invisible Gaussians.

    Each tensor is kept in units of its learning rate, so that one Adam with the rate 1 (times the decay) moves all of
    them: a step of Adam does not depend on the scale of a gradient.

    Attributes:
        rates: learning rates by attribute, in the units that `recipe.py` tells.
        leaves: leaf tensors by attribute; times their rate they are `means` [B, N, 3] as they are, `quats` [B, N, 4]
            of any norm, `scales` [B, N, 3] as logarithms, `opacities` [B, N] as logits, `colors` [B, N, 3] as they are,
            `sh_rest` [B, N, K, 3] too.
        counts: how many Gaussians of each splat are real.
    """

    def __init__(
        self, splats: Sequence[Gaussians], rates: Mapping[str, float], device: torch.device, sh_degree: int = 0
    ):
        self.rates = rates
        self.counts = [len(splat) for splat in splats]
        raw = {name: _pad([getattr(splat, name) for splat in splats]) for name in ATTRIBUTES}
        raw["scales"] = np.log(raw["scales"])
        raw["opacities"] = logit(raw["opacities"])
        for index, count in enumerate(self.counts):
            raw["opacities"][index, count:] = PADDING_LOGIT
        rest = _pad([splat.sh_rest[:, : rest_count(sh_degree)] for splat in splats])
        missing = rest_count(sh_degree) - rest.shape[2]
        raw["sh_rest"] = np.pad(rest, ((0, 0), (0, 0), (0, missing), (0, 0)))
        self.leaves = {
            name: torch.tensor(array / rates[name], dtype=torch.float32, device=device, requires_grad=True)
            for name, array in raw.items()
        }

    def activated(self) -> dict[str, Tensor]:
        """What the splats are now, by attribute, differentiable with respect to the leaves."""
        raw = {name: leaf * self.rates[name] for name, leaf in self.leaves.items()}
        raw["scales"] = torch.exp(raw["scales"])
        raw["opacities"] = torch.sigmoid(raw["opacities"])
        return raw  # the rasterizer normalises the quaternions

    @torch.no_grad()
    def project(self) -> None:
        """Put colours back into [0, 1] and scales into their bounds, where a step has left them."""
        self.leaves["colors"].clamp_(0, 1 / self.rates["colors"])
        low, high = (math.log(scale) / self.rates["scales"] for scale in SCALE_BOUNDS)
        self.leaves["scales"].clamp_(low, high)

    @torch.no_grad()
    def splats(self) -> list[Gaussians]:
        """The splats as they are now, without padding."""
        tensors = self.activated()
        tensors["quats"] = torch.nn.functional.normalize(tensors["quats"], dim=-1)
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        return [
            Gaussians(**{name: array[index, :count].copy() for name, array in arrays.items()})
            for index, count in enumerate(self.counts)
        ]


def _pad(arrays: list[np.ndarray]) -> np.ndarray:
    """[B, N, …]: shorter arrays repeat their first element."""
    longest = max(len(array) for array in arrays)
    return np.stack([np.concatenate([array, np.repeat(array[:1], longest - len(array), 0)]) for array in arrays])
