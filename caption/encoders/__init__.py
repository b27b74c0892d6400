"""Encoders: images and text to vectors of one space. An encoder is one line in caption/registry.py and one module,
or an installed package adds it (docs/extend.md).

Every table that holds vectors holds the encoder's id. An id is `NAME:DETAILS@HASH`: NAME is registered here, DETAILS
are the module's own, HASH is of the weights that were loaded. It suffices to load the same encoder again, and to notice
when the same name brings other weights.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from caption.config import EncoderConfig
from caption.registry import ENCODERS
from pipeline.base import plugins
from pipeline.base.errors import ConfigError


class Encoder(Protocol):
    """What a registered encoder is.

    Attributes:
        id: encoder and weights' hash, as described above.
        dim: D, the length of its vectors.
    """

    id: str
    dim: int

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors, float32 [B, D], of RGB or RGBA pictures of any size.

        Pictures may be opened but not yet decoded; transparency is laid over white.
        """

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [B, D], of sentences."""


def load_encoder(config: EncoderConfig, threads: int = 1, batch_size: int = 64) -> Encoder:
    """The encoder that the config names, on the GPU where there is one.

    Args:
        threads: that decode and prepare pictures.
        batch_size: pictures or texts that go through the model at once, at most.

    Raises:
        ConfigError: no such encoder, or its weights cannot be loaded.
    """
    encoder: Encoder = _module(config.encoder).from_config(config, threads, batch_size)
    return encoder


def load_encoder_by_id(id: str) -> Encoder:
    """The encoder that made a table's vectors, from the id that the table holds; it works in float32.

    Raises:
        ConfigError: the id is not one of ours, its weights cannot be loaded, or they are other weights than then.
    """
    name, _, rest = id.partition(":")
    details, _, _ = rest.rpartition("@")
    encoder: Encoder = _module(name).from_details(details)
    if encoder.id != id:
        raise ConfigError(f"encoder {id}: the weights here differ, they give {encoder.id}; run --stage embed --force")
    return encoder


def _module(name: str) -> Any:
    return plugins.load("encoder", name, ENCODERS)
