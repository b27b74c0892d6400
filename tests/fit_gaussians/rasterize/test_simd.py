"""The kernels as they are compiled for processors without AVX-512 agree with the reference too."""

import os
import platform
import subprocess
import sys

import pytest

from fit_gaussians.rasterize.simd import LANES

AS_WITHOUT_AVX512 = """
from fit_gaussians.rasterize.simd import LANES
assert LANES == 8, LANES
from tests.fit_gaussians.rasterize import test_cpu_against_reference as tests
tests.test_images_and_gradients("antialiased", 0.1, "per pixel")
tests.test_flat_gaussians("classic")
tests.test_small_and_large_gaussians(0.3)
"""


@pytest.mark.slow
@pytest.mark.skipif(LANES == 8, reason="this processor has no AVX-512: all tests run with eight lanes")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names a processor of that family")
def test_eight_lanes(tmp_path):
    environment = os.environ | {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", AS_WITHOUT_AVX512], check=True, env=environment)
