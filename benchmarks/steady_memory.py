"""Does a render worker's memory stay flat over many objects?

`memory_figures` renders objects one after the other with one engine, small, and reads the resident memory after each:
of this process for the raster engine, of Blender's own process for BlenderProc.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from pipeline.corpus import Corpus
from pipeline.errors import PipelineError
from pipeline.rows import Row
from pipeline.stage import StageContext
from render.config import RenderConfig
from render.stage import RenderStage

SMALL = {"views": 4, "resolution": 128, "samples": 4}
WARM_UP = 20  # objects until caches, pools and the largest buffers are there
WINDOW = 20


def memory_figures(corpus: Corpus, objects: int, blender_objects: int) -> dict[str, float]:
    """Growth and maximum of resident memory, in MB, of a worker of each engine."""
    assets = [row for shard in corpus.shards("assets") for row in corpus.read_rows("assets", shard)]
    figures = {}
    for engine, count in (("raster", objects), ("blenderproc", blender_objects)):
        chosen = assets[:: max(len(assets) // count, 1)][:count]
        used = resident_mb(corpus, chosen, RenderConfig(engine=engine, **SMALL))
        name = "" if engine == "raster" else "_blender"
        figures[f"rss_growth_mb_{len(chosen)}{name}"] = growth(used)
        figures[f"rss_max_mb{name}"] = float(np.max(used))
    return figures


def growth(used: list[float]) -> float:
    """What the last objects take beyond the first after the warm-up; medians, as single objects differ in size."""
    return float(np.median(used[-WINDOW:]) - np.median(used[WARM_UP : WARM_UP + WINDOW]))


def resident_bytes(pid: int) -> int:
    """Resident memory of a process (proc(5), statm, field 2)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def resident_mb(corpus: Corpus, assets: list[Row], config: RenderConfig) -> list[float]:
    """Megabytes after each object, whether it was rendered or refused."""
    used = []
    with tempfile.TemporaryDirectory() as scratch:
        stage = RenderStage(config, StageContext(corpus, Path(scratch)))
        stage.setup()
        try:
            for asset in assets:
                try:
                    stage.process([asset])
                except PipelineError as error:
                    print(error)
                pid = stage.engine.blender.pid if config.engine == "blenderproc" else os.getpid()
                used.append(resident_bytes(pid) / 1e6)
        finally:
            stage.close()
    return used
