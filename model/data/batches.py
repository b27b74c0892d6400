"""Batches for training and evaluation: every draw depends on (seed, epoch, object) alone, never on what ran before.

So step t of a resumed run is step t of a run that was never stopped, whatever the number of threads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.config import TrainConfig
from model.data.augment import augment
from model.data.frame import to_model_frame
from model.data.patches import Patches, make_patches
from model.data.split import LoadedSplit
from model.network.encoder import PatchBatch
from model.network.registry import ModelConfig


@dataclass
class TrainingBatch:
    """B objects, ready for the losses."""

    patches: PatchBatch
    texts: Tensor  # [B, D]
    images: Tensor  # [B, K, D]
    weights: Tensor  # [B, K]

    def to(self, device: torch.device) -> "TrainingBatch":
        """The same batch on another device."""
        tensors = (tensor.to(device, non_blocking=True) for tensor in (self.texts, self.images, self.weights))
        return TrainingBatch(self.patches.to(device), *tensors)

    def split(self, parts: int) -> Iterator["TrainingBatch"]:
        """Micro-batches of equal size, the last perhaps smaller."""
        size = -(-len(self.texts) // parts)
        for first in range(0, len(self.texts), size):
            part = slice(first, first + size)
            yield TrainingBatch(self.patches[part], self.texts[part], self.images[part], self.weights[part])


def training_batch(
    triplets: LoadedSplit, model: ModelConfig, config: TrainConfig, batch_size: int, rank: int, step: int
) -> TrainingBatch:
    """The batch of this rank at `step` (from 0).

    Every epoch is a new order of the objects; what does not fill a batch is left out of that epoch.
    """
    steps_per_epoch = len(triplets) // batch_size
    epoch, position = divmod(step, steps_per_epoch)
    order = np.random.default_rng([config.seed, rank, epoch]).permutation(len(triplets))
    chosen = order[position * batch_size : (position + 1) * batch_size]
    samples = [_sample(triplets, model, config, int(i), [config.seed, rank, epoch, int(i)]) for i in chosen]
    patches, images, weights = zip(*samples, strict=True)
    return TrainingBatch(
        stack_patches(patches),
        torch.from_numpy(triplets.texts[chosen]),
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(weights)),
    )


def _sample(
    triplets: LoadedSplit, model: ModelConfig, config: TrainConfig, i: int, seed: list[int]
) -> tuple[Patches, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gaussians = augment(to_model_frame(subsample(triplets.gaussians[i], model.num_gaussians, rng)), config.augment, rng)
    views = rng.choice(len(triplets.weights[i]), config.voting_views, replace=False)
    weights = triplets.weights[i][views]
    if config.voting_weights == "uniform":
        weights = np.full_like(weights, 1 / config.voting_views)
    return cut(gaussians, model), triplets.images[i][views], weights


def evaluation_patches(gaussians: np.ndarray, model: ModelConfig) -> Patches:
    """Patches of a splat [N, 14] (corpus frame), the same at every call: no augmentation, a fixed draw."""
    drawn = subsample(gaussians, model.num_gaussians, np.random.default_rng(0))
    return cut(to_model_frame(drawn), model)


def cut(gaussians: np.ndarray, model: ModelConfig) -> Patches:
    """The model's patches of Gaussians [N, 14] in its own frame."""
    orders = model.orders if model.tokenizer == "gs" else ()
    return make_patches(gaussians, model.groups, model.group_size, orders)


def subsample(gaussians: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of the Gaussians without replacement; all of them where there are no more."""
    if len(gaussians) <= count:
        return np.array(gaussians)
    return gaussians[rng.choice(len(gaussians), count, replace=False)]


def stack_patches(patches: Iterable[Patches]) -> PatchBatch:
    """One batch of the patches of several objects."""
    patches = list(patches)
    return PatchBatch(
        torch.from_numpy(np.stack([item.gaussians for item in patches])),
        torch.from_numpy(np.stack([item.centers for item in patches])),
        torch.from_numpy(np.stack([item.orders for item in patches])),
    )
