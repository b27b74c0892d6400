"""How many iterations, and CPU seconds of one thread, a fit needs to reach a quality.

A fit of `n` iterations lets its learning rates decay over all `n`, so a quality is reached by the smallest budget whose
whole fit has it; what a longer fit has on its way there would be worse. Seconds are from the row of views to the fitted
splat: decoding, initial Gaussians and optimiser, without measuring.
"""

import logging
import math
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.fit.corpus import file_name, views_of
from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.metrics import measure
from fit_gaussians.stage import prepare
from pipeline import Corpus
from pipeline.base.errors import AssetError
from pipeline.store.rows import Row

logger = logging.getLogger(__name__)

CONFIG = FitConfig(num_gaussians=10_000, backend="numba")
BUDGETS = (25, 50, 100, 200, 400)
MARKS_DB = (30, 33, 35)
OBJECTS = 40
CPU = torch.device("cpu")


def reach_figures(corpus: Corpus, work: Corpus) -> dict[str, float]:
    """Medians over the objects, and the share of them that reached a mark with the largest budget."""
    climbs = [finished_climb(row, work) for row in views_of(corpus, OBJECTS)]
    figures: dict[str, float] = {"reach_objects": len(climbs)}
    for mark in MARKS_DB:
        reached = [first_to_reach(climb, mark) for climb in climbs]
        figures |= {
            f"iterations_to_{mark}": float(np.median([step["iterations"] for step in reached])),
            f"cpu_s_to_{mark}": float(np.median([step["cpu_s"] for step in reached])),
            f"share_to_{mark}": float(np.mean([math.isfinite(step["iterations"]) for step in reached])),
        }
    return figures


def finished_climb(row: Row, work: Corpus) -> list[dict]:
    """`climb` of one object, made now or earlier; of an object that cannot be fitted, no steps."""
    path = ("reach", f"{file_name(row['uid'])}.json")
    if not work.exists(*path):
        try:
            steps = climb(row, CONFIG)
        except AssetError as error:
            logger.warning("reach: %s", error)
            steps = []
        work.write_json({"steps": steps}, *path)
    return work.read_json(*path)["steps"]


def climb(row: Row, config: FitConfig, budgets: Sequence[int] = BUDGETS) -> list[dict]:
    """Fits with growing budgets, up to the first that reaches the highest mark.

    Raises:
        AssetError: the object cannot be fitted.
    """
    torch.set_num_threads(1)
    warm_up(row, config)
    steps = []
    for iterations in budgets:
        config = config.model_copy(update={"iterations": iterations})
        started = time.process_time()
        task = prepare(row, config)
        splat, _ = fit_on_cpu(task.initial, task.train, task.seed, config)
        cpu_s = time.process_time() - started
        psnr = measure(splat, task.heldout, config.rasterize_mode, config.eps2d, "numba", CPU).psnr
        steps.append({"iterations": iterations, "cpu_s": cpu_s, "psnr": psnr})
        logger.info("reach     %-40s %.2f dB %d iterations %.2f s", row["uid"], psnr, iterations, cpu_s)
        if psnr >= max(MARKS_DB):
            break
    return steps


def warm_up(row: Row, config: FitConfig) -> None:
    """The kernels' machine code is loaded, or compiled."""
    task = prepare(row, config)
    config = config.model_copy(update={"iterations": 2})
    fit_on_cpu(task.initial, task.train, task.seed, config)


def first_to_reach(steps: list[dict], mark_db: float) -> dict[str, float]:
    """The first step of a climb that is at least so good; infinite iterations and seconds if none is."""
    return next((step for step in steps if step["psnr"] >= mark_db), {"iterations": math.inf, "cpu_s": math.inf})
