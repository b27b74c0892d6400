"""Returning free memory to the system."""

import ctypes


def give_back_free_memory() -> None:
    """Have the C library return what it keeps for later (glibc's malloc_trim(3); others have no such call).

    The fragments left by one large object would otherwise stay with the worker.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
