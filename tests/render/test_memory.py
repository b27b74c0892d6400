"""What a raster worker need not hold, it does not hold."""

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from render.memory import give_back_free_memory

NOT_NEEDED = ("trimesh", "OpenEXR", "torch", "DracoPy")


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to")
def test_free_memory_between_what_is_kept_goes_back():
    blocks = [np.ones(8000, np.uint8) for _ in range(10_000)]
    kept = blocks[::50]
    with_all = resident_mb()
    del blocks
    give_back_free_memory()
    assert resident_mb() < with_all - 50
    assert len(kept) == 200


def test_the_raster_engine_does_not_load_what_only_other_objects_need():
    script = f"import sys, render.stage, render.raster.engine; print([n for n in {NOT_NEEDED} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
