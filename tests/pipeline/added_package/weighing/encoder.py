"""Sentences by whether their length is even, pictures by whether their width is."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from caption.config import EncoderConfig


class Lengths:
    id = "lengths:@0"
    dim = 2

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[[image.width % 2 for image in images]]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[[len(text) % 2 for text in texts]]


def from_config(config: EncoderConfig, threads: int, batch_size: int) -> Lengths:
    return Lengths()


def from_details(details: str) -> Lengths:
    return Lengths()
