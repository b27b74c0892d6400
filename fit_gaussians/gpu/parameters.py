"""What the optimiser changes: unconstrained tensors behind a batch of splats, and the way there and back."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fit_gaussians.recipe.activation import SCALE_BOUNDS, logit
from fit_gaussians.recipe.relocation import Relocation, plan_relocation
from pipeline.values.splat import ATTRIBUTES, Gaussians, rest_count

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
        self, splats: Sequence[Gaussians], rates: Mapping[str, float], device: torch.device | str, sh_degree: int = 0
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

    def transparency(self) -> Tensor:
        """Mean opacity plus mean scale, summed over the splats: a scalar for the loss. Padding does not count."""
        raw = self.activated()
        parts = [
            raw["opacities"][index, :count].mean() + raw["scales"][index, :count].mean()
            for index, count in enumerate(self.counts)
        ]
        return torch.stack(parts).sum()

    @torch.no_grad()
    def relocate(self, rngs: Sequence[np.random.Generator], optimiser: torch.optim.Adam) -> None:
        """Put dead Gaussians in the place of live ones of the same splat (`relocation.py`), without their moments."""
        opacities = self.activated()["opacities"].cpu().numpy()
        for index, (count, rng) in enumerate(zip(self.counts, rngs, strict=True)):
            plan = plan_relocation(opacities[index, :count], rng)
            if plan is not None:
                self._apply(index, plan, optimiser)

    def _apply(self, index: int, plan: Relocation, optimiser: torch.optim.Adam) -> None:
        device = self.leaves["means"].device
        dead, sources = torch.from_numpy(plan.dead).to(device), torch.from_numpy(plan.sources).to(device)
        for leaf in self.leaves.values():
            leaf[index, dead] = leaf[index, sources]
        shrink = torch.from_numpy(np.log(plan.scale_factors)).to(device) / self.rates["scales"]
        scales = (self.leaves["scales"][index, dead] + shrink[:, None]).clamp(
            min=math.log(SCALE_BOUNDS[0]) / self.rates["scales"]
        )
        opacities = torch.from_numpy(logit(plan.opacities)).to(device) / self.rates["opacities"]
        for places in (sources, dead):
            self.leaves["scales"][index, places] = scales
            self.leaves["opacities"][index, places] = opacities
            for state in optimiser.state.values():  # leaves that have had a gradient
                for moment in ("exp_avg", "exp_avg_sq"):
                    state[moment][index, places] = 0

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
