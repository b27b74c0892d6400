"""The memory of a render worker: does it stay flat over many objects, and what is its peak at full size?

    python -m benchmarks.render.steady_memory CORPUS [--objects 500] [--blender-objects 60] [--full 10]

CORPUS has finished its assets stage. Many objects go through one worker, small, and its resident memory is read after
each: of the worker itself for the raster engine, of Blender's own process for BlenderProc. Then a few, the two largest
among them, in another worker, with 36 views at 512², where the peak during each object is read. Writes its part of
render.json.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from benchmarks.render.views import assets_of, evenly
from pipeline import Corpus
from pipeline.base.errors import PipelineError
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row
from render.config import RenderConfig
from render.stage import RenderStage

SMALL = {"shading": "diffuse", "views": 4, "resolution": 128}
FULL = {"engine": "raster", "shading": "diffuse", "views": 36, "resolution": 512}
WARM_UP = 20  # objects until caches, pools and the largest buffers are there
WINDOW = 20
NOTES = (
    "Resident memory of one worker in its own process. Growth: between the medians after the first 20 objects and at "
    "the end. Peak: the highest at any moment of an object of 36 views at 512², with image files and points; median "
    "and maximum, the corpus' two largest files included. pandas is kept out, as where only the extra [render] is "
    "installed; where it is installed pyarrow imports it, for 50 MB more."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.render.steady_memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("corpus")
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--blender-objects", type=int, default=60)
    parser.add_argument("--full", type=int, default=10)
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    for engine, objects in (("raster", arguments.objects), ("blenderproc", arguments.blender_objects)):
        after, _ = in_a_worker(arguments.corpus, objects, {"engine": engine, **SMALL})
        name = "" if engine == "raster" else "_blender"
        figures |= {f"rss_growth_mb_{len(after)}{name}": growth(after), f"rss_max_mb{name}": max(after)}
    _, peaks = in_a_worker(arguments.corpus, arguments.full, FULL, largest=2)
    figures |= {"rss_peak_mb_512": float(np.median(peaks)), "rss_peak_mb_512_max": max(peaks)}
    print(record("render", figures, NOTES, part="memory").read_text(encoding="utf-8"))


def growth(used: list[float]) -> float:
    """What the last objects take beyond the first after the warm-up; medians, as single objects differ in size."""
    return float(np.median(used[-WINDOW:]) - np.median(used[WARM_UP : WARM_UP + WINDOW]))


def in_a_worker(
    corpus: str, objects: int, settings: dict[str, Any], largest: int = 0
) -> tuple[list[float], list[float]]:
    """`resident_mb` in a process that has done nothing else, of the `largest` files and others."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (corpus, objects, settings, largest))


def _measured(name: str, objects: int, settings: dict[str, Any], largest: int) -> tuple[list[float], list[float]]:
    sys.modules["pandas"] = None  # see NOTES
    corpus = Corpus(name)
    assets = sorted(assets_of(corpus), key=lambda asset: -asset["bytes"])
    first, others = assets[:largest], sorted(assets[largest:], key=lambda asset: asset["uid"])
    return resident_mb(corpus, first + evenly(others, objects - largest), RenderConfig(**settings))


def resident_mb(corpus: Corpus, assets: list[Row], config: RenderConfig) -> tuple[list[float], list[float]]:
    """Megabytes after each object, and the most at any moment of it, whether it was rendered or refused."""
    after, peaks = [], []
    with tempfile.TemporaryDirectory() as scratch:
        stage = RenderStage(config, StageContext(corpus, Path(scratch)))
        stage.setup()
        try:
            for asset in assets:
                pid = stage.engine.blender.pid if config.engine == "blenderproc" else os.getpid()
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): the peak is that from here on
                try:
                    stage.process([asset])
                except PipelineError as error:
                    print(error)
                pid = stage.engine.blender.pid if config.engine == "blenderproc" else os.getpid()
                after.append(status_mb(pid, "VmRSS"))
                peaks.append(status_mb(pid, "VmHWM"))
        finally:
            stage.close()
    return after, peaks


def status_mb(pid: int, field: str) -> float:
    """Megabytes of a field of proc(5), status: VmRSS is resident memory, VmHWM its peak."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    main()
