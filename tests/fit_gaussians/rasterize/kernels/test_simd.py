"""The kernels as they are compiled for processors without AVX-512."""

import os
import platform
import subprocess
import sys

import pytest

from fit_gaussians.rasterize.kernels.simd import LANES

AGREES_WITH_REFERENCE = """
from fit_gaussians.rasterize.kernels.simd import LANES
assert LANES == 8, LANES
from tests.fit_gaussians.rasterize.kernels import test_cpu_against_reference as tests
tests.test_images_and_gradients("antialiased", 0.1, "per pixel")
tests.test_flat_gaussians("classic")
tests.test_small_and_large_gaussians(0.3)
"""
TRANSLATES_TO_NEON = """
import llvmlite.binding as llvm
from fit_gaussians.rasterize.kernels.blend import blend
from fit_gaussians.rasterize.kernels.blend_backward import blend_backward
from fit_gaussians.rasterize.kernels.projection import project
from fit_gaussians.rasterize.kernels.projection_backward import project_backward
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
arm = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="generic", opt=3)
for kernel in (blend, blend_backward, project, project_backward):
    (code,) = kernel.inspect_llvm().values()
    lines = [line for line in code.splitlines() if not line.startswith("target ")]
    assembly = arm.emit_assembly(llvm.parse_assembly("\\n".join(lines)))
    assert assembly.count(".4s") > 100, kernel
"""


@pytest.mark.slow
@pytest.mark.skipif(LANES == 8, reason="this processor has no AVX-512: all tests run with eight lanes")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names a processor of that family")
def test_eight_lanes(tmp_path):
    """On AVX2 they agree with the reference, and LLVM makes NEON's vectors of the same code."""
    environment = os.environ | {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path)}
    script = AGREES_WITH_REFERENCE + TRANSLATES_TO_NEON
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
