"""Pictures on their way into an encoder, prepared while the model works."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image


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
