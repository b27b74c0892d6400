"""The trained encoder, ready for use: splats in, unit vectors out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from model.embed import embed_splats
from model.network.encoder import ClipGS
from model.network.pretrained import from_pretrained
from pipeline.base.errors import AssetError


@dataclass(frozen=True)
class SplatEncoder:
    """A trained model and the id of the image and text encoder whose space it shares."""

    model: ClipGS
    encoder: str

    def encode(self, splats: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors [B, D] float32.

        Args:
            splats: B arrays [N_i, 14], z up, of any size and place, post-activation: means, colors (sRGB in [0, 1]),
                opacity, scales (linear), quats (wxyz, unit).

        Raises:
            AssetError: a splat has too few Gaussians to be cut into patches, or NaN.
        """
        fewest = self.model.config.minimum_gaussians
        for i, splat in enumerate(splats):
            if len(splat) < fewest:
                raise AssetError(f"splat {i} has {len(splat)} Gaussians, the model needs {fewest}")
            if not np.isfinite(splat).all():
                raise AssetError(f"splat {i} holds NaN or infinite values")
        return embed_splats(self.model, splats)


def load_encoder(folder: str | os.PathLike[str], device: torch.device | str | None = None) -> SplatEncoder:
    """The encoder in a run's folder (local or bucket), on the GPU where there is one.

    Raises:
        ConfigError: the folder holds no trained model.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return SplatEncoder(*from_pretrained(folder, device))
