"""What this machine has for worker processes: CPUs, memory, and threads to share out."""

import os

WORKER_BYTES = 3_000_000_000  # about what a process with the objects of all stages takes

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """One worker process for every CPU, as far as the memory goes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(available_cpus(), memory // WORKER_BYTES))


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that limit the thread pools of numerical libraries (torch follows OMP_NUM_THREADS).

    They count only if they are set before numpy, torch or numba are imported.
    """
    return dict.fromkeys(_VARIABLES, str(threads))
