"""Pictures on their way into an encoder: laid over a background, and prepared while the model works."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image

BACKGROUND = (255, 255, 255)  # sRGB; what transparent pixels become


def over_background(image: Image.Image) -> Image.Image:
    """RGB picture: straight alpha laid over `BACKGROUND`; a picture without alpha is only converted."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = Image.new("RGBA", image.size, (*BACKGROUND, 255))
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")


def prepared_batches(
    images: Sequence[Image.Image], prepare: Callable[[Image.Image], torch.Tensor], batch_size: int, threads: int
) -> Iterator[torch.Tensor]:
    """Batches [<= batch_size, 3, H, W] of `prepare(image)`, in order.

    The next batch is decoded and prepared by `threads` threads while the caller works on the present one; no more than
    two batches are in memory.
    """
    chunks = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    with ThreadPoolExecutor(threads) as pool:
        ahead = None
        for chunk in [*chunks, []]:
            present, ahead = ahead, [pool.submit(prepare, image) for image in chunk]
            if present:
                yield torch.stack([future.result() for future in present])
