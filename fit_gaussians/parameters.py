"""What the optimiser changes: unconstrained tensors behind a batch of splats, and the way there and back."""

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.gaussians import ATTRIBUTES, Gaussians

PADDING_LOGIT = -30.0
"""Opacity of the Gaussians that pad a smaller splat of a batch: never drawn, hence never moved."""


class GaussianParameters:
    """B splats of N Gaussians each, N that of the largest; smaller ones are padded with invisible Gaussians.

    Attributes:
        raw: leaf tensors by attribute: `means` [B, N, 3] as they are, `quats` [B, N, 4] of any norm, `scales`
            [B, N, 3] as logarithms, `opacities` [B, N] as logits, `colors` [B, N, 3] as they are.
        counts: how many Gaussians of each splat are real.
    """

    def __init__(self, splats: list[Gaussians], device: torch.device):
        self.counts = [len(splat) for splat in splats]
        stacked = {name: _pad([getattr(splat, name) for splat in splats]) for name in ATTRIBUTES}
        stacked["scales"] = np.log(stacked["scales"])
        stacked["opacities"] = _logit(stacked["opacities"])
        for index, count in enumerate(self.counts):
            stacked["opacities"][index, count:] = PADDING_LOGIT
        self.raw = {
            name: torch.tensor(array, dtype=torch.float32, device=device, requires_grad=True)
            for name, array in stacked.items()
        }

    def activated(self) -> dict[str, Tensor]:
        """The arguments of `rasterize`, differentiable with respect to `raw`."""
        return {
            "means": self.raw["means"],
            "quats": self.raw["quats"],  # the rasterizer normalises
            "scales": torch.exp(self.raw["scales"]),
            "opacities": torch.sigmoid(self.raw["opacities"]),
            "colors": self.raw["colors"],
        }

    @torch.no_grad()
    def project(self) -> None:
        """Put colours back into [0, 1], where a step has left it."""
        self.raw["colors"].clamp_(0, 1)

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


def _logit(probability: np.ndarray) -> np.ndarray:
    probability = probability.clip(1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))
