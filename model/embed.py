"""Splats to unit vectors with a trained model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from model.data.batches import evaluation_patches, stack_patches
from model.network.encoder import ClipGS, PatchBatch
from pipeline.store.read_ahead import read_ahead


class Splats(Protocol):
    """Anything that gives Gaussians [N, 14] (corpus frame) by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> np.ndarray: ...


@torch.inference_mode()
def embed_splats(
    model: ClipGS, splats: Splats | Sequence[np.ndarray], batch_size: int = 32, workers: int = 2
) -> np.ndarray:
    """Unit features [objects, D] float32, in order, on the device that holds the model.

    The model is put into evaluation mode for the time, so the result of one object does not depend on the others.
    """
    device = model.logit_scale.device
    was_training = model.training
    model.eval()

    def batch(first: int) -> PatchBatch:
        chosen = range(first, min(first + batch_size, len(splats)))
        return stack_patches(evaluation_patches(splats[i], model.config) for i in chosen)

    features = [
        model(patches.to(device))[0].cpu().numpy()
        for patches in read_ahead(batch, range(0, len(splats), batch_size), workers, ahead=workers + 1)
    ]
    model.train(was_training)
    return np.concatenate(features) if features else np.zeros((0, model.config.embed_dim), np.float32)
