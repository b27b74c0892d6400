"""How many CPU threads a worker process may use: set in its environment before numpy, torch or numba are imported."""

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that limit the thread pools of numerical libraries (torch follows OMP_NUM_THREADS)."""
    return dict.fromkeys(_VARIABLES, str(threads))
