"""How well and how fast splats are fitted, on the views of a rendered corpus.

    python -m benchmarks.fit CORPUS WORK [--objects 112]

Fits every object with each of the settings below, one after the other in one process with one thread, by the fit stage
itself: decoding of the views, initial Gaussians, optimiser, storage and measuring are all in the CPU seconds. PSNR is
over the held-out views (every 6th) on white. A finished fit lies in WORK as a Parquet file of the gaussians table, and
is not done again when the benchmark is taken up later.

Writes fit.json.
"""

import argparse
import logging
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.record import record
from fit_gaussians.config import FitConfig
from fit_gaussians.stage import FitStage
from pipeline.corpus import Corpus
from pipeline.rows import Row
from pipeline.schema import GAUSSIANS
from pipeline.stage import Failure, StageContext

logger = logging.getLogger(__name__)

SETTINGS = {
    "10k": FitConfig(num_gaussians=10_000, iterations=350, backend="numba"),
    "20k": FitConfig(num_gaussians=20_000, iterations=550, backend="numba"),
    "20k_long": FitConfig(num_gaussians=20_000, iterations=1050, backend="numba"),
}
STANDARD = "20k"
SCALARS = ("psnr", "psnr_object", "psnr_worst_view", "ssim", "num_gaussians")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a corpus whose objects are rendered")
    parser.add_argument("work", type=Path, help="folder for the fitted splats")
    parser.add_argument("--objects", type=int, default=112)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("numba").setLevel(logging.WARNING)
    work = Corpus(arguments.work.resolve())
    stages = {name: make_stage(config, work) for name, config in SETTINGS.items()}
    results: dict[str, list[dict]] = {name: [] for name in SETTINGS}
    for index, row in enumerate(views_of(Corpus(arguments.corpus), arguments.objects)):
        if index == 0:
            stages[STANDARD].process([row])  # the kernels' machine code is loaded, or compiled
        for name, stage in stages.items():
            result = fit_once(stage, row, work, name)
            if result:
                results[name].append(result)
    record("fit", figures_of(results), notes=" ".join(__doc__.split("\n\n")[2].split()))


def make_stage(config: FitConfig, work: Corpus) -> FitStage:
    stage = FitStage(config, StageContext(corpus=work, scratch=Path(work.root), threads=1))
    stage.setup()
    return stage


def views_of(corpus: Corpus, objects: int) -> Iterator[Row]:
    """The first rows of the views table, shard by shard."""
    left = objects
    for shard in corpus.shards("views"):
        for row in corpus.read_rows("views", shard)[:left]:
            left -= 1
            yield row


def fit_once(stage: FitStage, row: Row, work: Corpus, setting: str) -> dict | None:
    """The figures of one fit, made now or earlier; None if the object cannot be fitted."""
    name = row["uid"].replace("/", "_")
    figures_path, splat_path = (setting, f"{name}.json"), work.path(setting, f"{name}.parquet")
    if work.exists(*figures_path):
        return work.read_json(*figures_path)
    started = time.process_time()
    (result,) = stage.process([row])
    cpu_s = time.process_time() - started
    if isinstance(result, Failure):
        logger.warning("%s: %s", setting, result.message)
        return None
    with work.table_writer(splat_path, GAUSSIANS) as writer:
        writer.write([result])
    figures = {column: result[column] for column in SCALARS} | {
        "cpu_s": cpu_s,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes": work.filesystem.size(splat_path),
    }
    work.write_json(figures, *figures_path)
    logger.info("%-9s %-40s %.2f dB %.2f s", setting, row["uid"], result["psnr"], cpu_s)
    return figures


def figures_of(results: dict[str, list[dict]]) -> dict[str, float]:
    """The figures by the keys of fit.json; those without a setting in their name are of the standard one."""
    figures: dict[str, float] = {"objects": len(results[STANDARD])}
    for setting, fits in results.items():
        psnr, cpu_s = values(fits, "psnr"), values(fits, "cpu_s")
        figures |= {
            f"psnr_median_{setting}": np.median(psnr),
            f"psnr_p10_{setting}": np.percentile(psnr, 10),
            f"psnr_object_median_{setting}": np.median(values(fits, "psnr_object")),
            f"ssim_median_{setting}": np.median(values(fits, "ssim")),
            f"cpu_s_{setting}": np.median(cpu_s),
            f"cpu_s_p90_{setting}": np.percentile(cpu_s, 90),
            f"iterations_{setting}": SETTINGS[setting].iterations,
        }
    standard = results[STANDARD]
    figures |= {
        "psnr_object_median": np.median(values(standard, "psnr_object")),
        "psnr_worst_view_median": np.median(values(standard, "psnr_worst_view")),
        "share_over_30": np.mean(values(standard, "psnr") > 30),
        "share_over_35": np.mean(values(standard, "psnr") > 35),
        "bytes_per_gaussian": values(standard, "bytes").sum() / values(standard, "num_gaussians").sum(),
        "peak_rss_mb": max(values(fits, "peak_rss_mb").max() for fits in results.values()),
    }
    return {key: round(float(value), 3) for key, value in figures.items()}


def values(fits: list[dict], key: str) -> np.ndarray:
    return np.array([fit[key] for fit in fits])


if __name__ == "__main__":
    main()
