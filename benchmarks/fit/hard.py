"""What limits the hardest third of the objects: Gaussians, steps or views.

    python -m benchmarks.fit.hard CORPUS WORK MORE_VIEWS [--objects 8]

CORPUS and WORK are those of benchmarks/fit, whose fits with 20,000 Gaussians tell which objects are the hardest;
MORE_VIEWS is a corpus of the same objects with twice as many views. Both hold out six views, spread alike; they are
not the same six, so figures of the two differ a little for that alone. Every figure is a mean over objects drawn evenly
from the hardest third: dB in the held-out views, in those that were fitted, and CPU seconds of one thread.

Writes fit_hard.json.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.fit.corpus import SETTINGS, STANDARD, finished, values, views_of
from benchmarks.record import record
from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.metrics import measure
from fit_gaussians.stage import prepare
from pipeline import Corpus
from pipeline.store.rows import Row

HELDOUT = 6
BUDGETS = ((20_000, 300), (20_000, 600), (40_000, 300), (40_000, 600))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a corpus whose objects are rendered")
    parser.add_argument("work", type=Path, help="folder of the finished fits of benchmarks.fit")
    parser.add_argument("more_views", help="the same objects, with more views")
    parser.add_argument("--objects", type=int, default=8)
    arguments = parser.parse_args()
    uids = hardest(Corpus(arguments.corpus), Corpus(arguments.work.resolve()), arguments.objects)
    figures: dict[str, float] = {"objects": len(uids)}
    for folder in (arguments.corpus, arguments.more_views):
        rows = [row for row in views_of(Corpus(folder), SETTINGS[STANDARD].objects) if row["uid"] in uids]
        assert len(rows) == len(uids), f"{folder} lacks some of {uids}"
        views = len(rows[0]["images"])
        for num_gaussians, iterations in BUDGETS:
            config = FitConfig(
                num_gaussians=num_gaussians, iterations=iterations, heldout_every=views // HELDOUT, backend="numba"
            )
            heldout, fitted, cpu_s = np.mean([fit(row, config) for row in rows], 0)
            name = f"{views}_views_{num_gaussians // 1000}k_{iterations}"
            figures |= {f"psnr_{name}": heldout, f"psnr_fitted_views_{name}": fitted, f"cpu_s_{name}": cpu_s}
            print(f"{name:20s} {heldout:.2f} dB, fitted views {fitted:.2f} dB, {cpu_s:.2f} s", flush=True)
    notes = " ".join(__doc__.split("\n\n")[2].split())
    record("fit_hard", {key: round(float(value), 2) for key, value in figures.items()}, notes=notes)


def hardest(corpus: Corpus, work: Corpus, count: int) -> set[str]:
    """Uids of `count` objects spread evenly over the third with the lowest PSNR."""
    fits = {row["uid"]: finished(work, STANDARD, row["uid"]) for row in views_of(corpus, SETTINGS[STANDARD].objects)}
    uids = [uid for uid, figures in fits.items() if figures]
    ascending = np.argsort(values([fits[uid] for uid in uids], "psnr"))
    places = np.linspace(0, len(uids) // 3 - 1, count).round().astype(int)
    return {uids[ascending[place]] for place in places}


def fit(row: Row, config: FitConfig) -> tuple[float, float, float]:
    """PSNR of the held-out and of the fitted views, and CPU seconds of preparing and fitting."""
    started = time.process_time()
    task = prepare(row, config)
    splat, _ = fit_on_cpu(task.initial, task.train, task.seed, config)
    cpu_s = time.process_time() - started
    psnr = [measure(splat, views, config.rasterize_mode, config.eps2d, "numba", "cpu").psnr
            for views in (task.heldout, task.train)]  # fmt: skip
    return *psnr, cpu_s


if __name__ == "__main__":
    main()
