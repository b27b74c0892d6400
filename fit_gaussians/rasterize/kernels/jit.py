"""How the kernels of this package are compiled, and cached on disk.

Kernels run in one thread and release the GIL, so that objects can be fitted in parallel, one thread each. Floating
point may be reordered and contracted, but NaN and infinity keep their meaning: the kernels test for them.
"""

import hashlib
import logging
from pathlib import Path

import numba
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

from pipeline.values import quaternions

FLOAT_FLAGS = ("reassoc", "nsz", "arcp", "contract", "afn")
# The caller holds all arrays while a kernel runs, and kernels allocate none: counting references (nrt) would only cost.
_OPTIONS = {
    "nogil": True,
    "fastmath": set(FLOAT_FLAGS),
    "error_model": "numpy",
    "boundscheck": False,
    "_nrt": False,
}

log = logging.getLogger(__name__)


def inlined(function):
    """Compile a helper that LLVM inlines into the kernels, so that vectors stay in registers."""
    return njit(forceinline=True, **_OPTIONS)(function)


def kernel(function):
    """Compile an entry point, called from Python, and cache its machine code on disk.

    The cache lies beside the source or, where that is not writable, in the user's cache folder (NUMBA_CACHE_DIR
    chooses another). It is keyed by the processor and by the source of the whole package and of what it
    compiles from below: Numba alone would look at the file of the entry point only and miss a change in a helper's.
    """
    dispatcher = njit(**_OPTIONS)(function)
    try:
        dispatcher._cache = _PackageCache(function)  # what njit(cache=True) does, with our key
    except RuntimeError as error:
        log.warning("no folder to cache compiled kernels in (%s): every process compiles them again", error)
    return dispatcher


def code_version() -> str:
    """What machine code in the cache depends on: the package's source, Numba, and the processor."""
    return f"{_SOURCE_HASH} {numba.__version__} {cpu_target.target_context.codegen().magic_tuple()}"


class _PackageCache(FunctionCache):
    def _index_key(self, sig, codegen):
        return (*super()._index_key(sig, codegen), _SOURCE_HASH)


def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for path in [*sorted(Path(__file__).parents[1].rglob("*.py")), Path(quaternions.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCE_HASH = _hash_of_sources()
