"""Images prepared for an encoder while the model works."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice

import torch
from PIL import Image

from pipeline.store.read_ahead import read_ahead


def prepared_batches(
    images: Sequence[Image.Image], prepare: Callable[[Image.Image], torch.Tensor], batch_size: int, threads: int
) -> Iterator[torch.Tensor]:
    """Batches [<= batch_size, 3, H, W] of `prepare(image)`, in order.

    The next batch is decoded and prepared by `threads` threads while the caller works on the present one; no more than
    two batches are in memory.
    """
    with closing(read_ahead(prepare, images, threads, ahead=batch_size + 1)) as prepared:
        while batch := list(islice(prepared, batch_size)):
            yield torch.stack(batch)
