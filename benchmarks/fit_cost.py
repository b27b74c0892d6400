"""The CPU seconds of a fit, in one thread: the fastest of a few, since other work on the machine makes a fit slower.

From the row of views to the stored and measured splat: decoding, initial Gaussians, optimiser, storage and held-out
scores.
"""

import time
from statistics import median

from benchmarks.fit_corpus import SETTINGS, make_stage, views_of
from fit_gaussians.stage import FitStage
from pipeline.corpus import Corpus
from pipeline.rows import Row

OBJECTS = 6
REPEATS = 3


def cost_figures(corpus: Corpus, work: Corpus) -> dict[str, float]:
    """Medians over the first objects of the corpus, by setting."""
    rows = list(views_of(corpus, OBJECTS))
    figures: dict[str, float] = {"cost_objects": len(rows)}
    for setting in SETTINGS:
        stage = make_stage(SETTINGS[setting].config, work)
        stage.process(rows[:1])  # the kernels' machine code is loaded, or compiled
        times = [min(cpu_s(stage, row) for _ in range(REPEATS)) for row in rows]
        figures |= {f"cpu_s_{setting}": median(times), f"cpu_s_largest_{setting}": max(times)}
    return figures


def cpu_s(stage: FitStage, row: Row) -> float:
    started = time.process_time()
    stage.process([row])
    return time.process_time() - started
