"""What the processor of this machine can do, kept beside every result."""

import os
import platform
from typing import Any


def capability() -> dict[str, Any]:
    """Its vectors and cores, and a reference time that is measured now.

    Returns:
        vector: AVX-512, AVX2, SSE or NEON, as Numba's kernels have it.
        vector_bits: width of one such register.
        lanes: float32 numbers in one vector of the rasterizer's kernels, which may be two registers.
        cores: those that this process may use.
        limit_256_ms: CPU milliseconds of `limit_ms` in benchmarks/reference.py, by which times of two machines compare.
    """
    # Inside, since benchmarks.record, which asks for it, makes the page of results without a compiler.
    from numba.core.registry import cpu_target

    from benchmarks.reference import limit_ms
    from fit_gaussians.rasterize.kernels.simd import LANES

    features = cpu_target.target_context.codegen().magic_tuple()[2]
    name, bits = vectors(platform.machine(), features)
    return {
        "vector": name,
        "vector_bits": bits,
        "lanes": LANES,
        "cores": len(os.sched_getaffinity(0)),
        "limit_256_ms": round(limit_ms(), 4),
    }


def vectors(architecture: str, features: str) -> tuple[str, int]:
    """Name and bits of the vectors of a processor.

    Args:
        features: those that LLVM compiles for, `+avx2,-avx512f,…`.
    """
    if architecture in ("aarch64", "arm64"):
        return "NEON", 128
    has = set(features.split(","))
    if "+avx512f" in has:
        return "AVX-512", 512
    return ("AVX2", 256) if "+avx2" in has else ("SSE", 128)
