"""Which devices torch can use on this machine."""

import ctypes
import sys


def cuda_is_available() -> bool:
    """Whether torch can use a CUDA device.

    Where there is no driver, torch is not asked: a worker without a GPU needs no torch, which takes seconds to import
    and 180 MB.
    """
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            return False
    import torch

    return torch.cuda.is_available()
