"""Memory that is free is given back to the system."""

import ctypes


def give_back_free_memory() -> None:
    """Have the C library return what it keeps for later (glibc's malloc_trim(3); others have no such call).

    What one large object leaves, in pieces, would otherwise stay with the worker for all that follow.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
