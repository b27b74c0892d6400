"""How many CPU threads torch may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int, sharing: int = 1) -> Iterator[None]:
    """Give torch `count` threads for the time; 0: this process's cores, divided among `sharing` processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or max(1, len(os.sched_getaffinity(0)) // sharing))
    try:
        yield
    finally:
        torch.set_num_threads(before)
