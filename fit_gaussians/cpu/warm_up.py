"""Compiling the CPU's kernels once for all workers of a machine, in a separate process.

Numba's compiler leaves some 100 MB behind in a worker and needs seconds of a core, which every worker of a fresh
machine would spend at the same time. So the first one starts a process that compiles, the others wait for it, and all
read machine code from the cache. Where there is no folder to cache it in, each worker compiles for itself.

    python -m fit_gaussians.cpu.warm_up 0        # sh_degree
"""

import fcntl
import hashlib
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.metrics import measure
from fit_gaussians.rasterize.kernels.jit import code_version
from fit_gaussians.rasterize.kernels.projection import project
from fit_gaussians.views import Views
from pipeline.values.splat import Gaussians

logger = logging.getLogger(__name__)

SIZE = 32


def compile_kernels(config: FitConfig) -> None:
    """Return when the machine code that fits of this config need lies in the cache."""
    folder = project.stats.cache_path
    if folder is None:
        return
    try:
        _compile_once(Path(folder), config.sh_degree)
    except (OSError, subprocess.CalledProcessError) as error:  # no locks on this disk, no room, …
        reason = getattr(error, "stderr", None) or error
        logger.warning("fit: compiling ahead failed, so every worker compiles for itself: %s", reason)


def _compile_once(folder: Path, sh_degree: int) -> None:
    wanted = hashlib.sha256(f"{code_version()} {sh_degree > 0}".encode()).hexdigest()[:16]
    done = folder / f"compiled-{wanted}"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        logger.info("fit: compiling the CPU's kernels (once on this machine)")
        command = [sys.executable, "-m", "fit_gaussians.cpu.warm_up", str(sh_degree)]
        subprocess.run(command, capture_output=True, text=True, check=True)
        done.touch()


def fit_a_square(sh_degree: int) -> None:
    """Run everything that a fit runs, at the smallest size."""
    pixels = np.zeros((2, 4, SIZE, SIZE), np.uint8)
    pixels[:, :, 8:-8, 8:-8] = 255
    pose = np.eye(4, dtype=np.float32)
    pose[2, 3] = 2
    intrinsics = np.array([SIZE, SIZE, SIZE / 2, SIZE / 2], np.float32)
    views = Views(pixels, np.stack([pose, pose]), np.stack([intrinsics, intrinsics]))
    one = np.ones(1, np.float32)
    initial = Gaussians(np.zeros((1, 3), np.float32), np.eye(1, 4, dtype=np.float32), 0.1 * one[:, None].repeat(3, 1),
                        0.9 * one, one[:, None].repeat(3, 1))  # fmt: skip
    config = FitConfig(iterations=12, sh_degree=sh_degree, backend="numba")
    splat, _ = fit_on_cpu(initial, views, 0, config)
    measure(splat, views, config.rasterize_mode, config.eps2d, "numba", "cpu")


if __name__ == "__main__":
    fit_a_square(int(sys.argv[1]))
