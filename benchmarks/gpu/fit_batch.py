"""What a GPU gains from fitting many objects in one call.

    python -m benchmarks.gpu.fit_batch [CORPUS] [--objects 64] [--batches 1 4 16 64] [--views-per-step 1]

Fits the first `objects` objects of a corpus that has finished its render stage (without one, as many copies of a
synthetic scene, each with a seed of its own) in batches of each size: 20,000 Gaussians, 300 steps. Milliseconds of one
object in one step, seconds of one object with everything from the rows of views to fitted splats, the median held-out
PSNR, which should not depend on the batch, and the peak of the device's memory. A batch is fitted before the clock
starts. Without a CUDA device there is `--backend reference` or `numba`, to see that the program works.

Prints a table, and with gsplat writes gpu_fit_batch.json.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from statistics import median

import torch

from benchmarks.fit.corpus import views_of
from benchmarks.fit.scenes import SCENES, render
from benchmarks.record import record
from fit_gaussians.config import FitConfig
from fit_gaussians.gpu.fit import fit_batch
from fit_gaussians.metrics import measure
from fit_gaussians.rasterize import Backend
from fit_gaussians.stage import prepare
from pipeline import Corpus
from pipeline.store.rows import Row


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.fit_batch", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("--objects", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--views-per-step", type=int, default=1)
    parser.add_argument("--gaussians", type=int, default=20_000)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--backend", choices=("gsplat", "reference", "numba"), default="gsplat")
    arguments = parser.parse_args()
    if arguments.backend == "gsplat" and not torch.cuda.is_available():
        print("benchmarks.gpu.fit_batch needs a CUDA device, and torch finds none", file=sys.stderr)
        return 2
    config = FitConfig(
        num_gaussians=arguments.gaussians,
        iterations=arguments.iterations,
        gpu_views_per_step=arguments.views_per_step,
    )
    rows = (
        list(views_of(Corpus(arguments.corpus), arguments.objects)) if arguments.corpus else copies(arguments.objects)
    )
    figures: dict[str, float] = {"objects": len(rows)}
    for size in arguments.batches:
        warm_up = config.model_copy(update={"iterations": 10})
        fit_in_batches(rows[:size], size, warm_up, arguments.backend)
        for key, value in fit_in_batches(rows, size, config, arguments.backend).items():
            figures[f"{key}_batch_{size}"] = value
            print(f"batch {size:3}  {key:24} {value:.3f}", flush=True)
    if arguments.backend == "gsplat":
        record("gpu_fit_batch", figures, notes=" ".join(__doc__.split("\n\n")[2].split()))
    return 0


def copies(count: int) -> list[Row]:
    """A scene that is new to the program by its uid alone."""
    with tempfile.TemporaryDirectory() as folder:
        row = render("medium", SCENES["medium"], Corpus(folder))
    return [row | {"uid": f"medium-{number}"} for number in range(count)]


def fit_in_batches(rows: Sequence[Row], size: int, config: FitConfig, backend: Backend) -> dict[str, float]:
    """The figures of a batch size. Objects whose views differ in number or size from the first one's are left out."""
    device = "cuda" if backend == "gsplat" else "cpu"
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    tasks = [prepare(row, config) for row in rows]
    tasks = [task for task in tasks if task.shape == tasks[0].shape]
    splats, fitting_s = [], 0.0
    for first in range(0, len(tasks), size):
        batch = tasks[first : first + size]
        fitting_s -= time.perf_counter()
        fitted, _ = fit_batch(
            [task.initial for task in batch],
            [task.train for task in batch],
            [task.seed for task in batch],
            config,
            backend=backend,
            device=device,
        )  # copies the splats to the host: nothing is left to wait for
        fitting_s += time.perf_counter()
        splats += fitted
    whole_s = time.perf_counter() - started
    scores = [
        measure(splat, task.heldout, config.rasterize_mode, config.eps2d, backend, device).psnr
        for task, splat in zip(tasks, splats, strict=True)
    ]
    return {
        "ms_per_object_iteration": 1e3 * fitting_s / len(tasks) / config.iterations,
        "s_per_object": whole_s / len(tasks),
        "psnr_median": median(scores),
        "memory_gb": torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0,
    }


if __name__ == "__main__":
    sys.exit(main())
