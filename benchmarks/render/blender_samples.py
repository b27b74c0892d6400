"""What BlenderProc's samples buy and cost, and whether threads or processes make more of two cores.

    python -m benchmarks.render.blender_samples CORPUS [--objects 6]

CORPUS has finished its assets stage. Objects, spread evenly, are seen from 4 cameras at 256² with more and more samples
a pixel, and compared with the picture of 256 samples. Then two cores render the same objects at 512², 16 samples: one
process with two threads, and two processes with one thread each. Writes its part of render.json.
"""

import argparse
import multiprocessing
import time

import numpy as np

from benchmarks.record import record
from benchmarks.render.agreement import agreement
from benchmarks.render.views import Rendered, assets_of, evenly, rendered
from pipeline import Corpus
from render.config import RenderConfig

VIEWS = 4
SAMPLES = (1, 4, 16, 64)
CONVERGED = 256
NOTES = (
    "BlenderProc alone. dB: over the object's pixels, against 256 samples a pixel, of which the fewer are a part "
    "(at 64 samples that flatters by 2 dB, at 16 by half a one); 256². Threads and processes: `diffuse`, 512², 16 "
    "samples, two cores; wall seconds of all views together, start of Blender and one object to warm up not counted, "
    "which mean something on an idle machine only."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.render.blender_samples", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("corpus")
    parser.add_argument("--objects", type=int, default=6)
    arguments = parser.parse_args()
    figures = {"samples_objects": arguments.objects}
    for shading in ("albedo", "diffuse"):
        figures |= sample_figures(arguments.corpus, arguments.objects, shading)
    figures |= core_figures(arguments.corpus, arguments.objects)
    print(record("render", figures, NOTES, part="samples").read_text(encoding="utf-8"))


def sample_figures(corpus: str, objects: int, shading: str) -> dict[str, float]:
    """dB and CPU seconds a view by the number of samples; medians over objects."""
    config = RenderConfig(engine="blenderproc", shading=shading, views=VIEWS, resolution=256, samples=CONVERGED)
    converged = views_of(corpus, objects, 0, 1, 1, config)
    figures = {}
    for samples in SAMPLES:
        done = views_of(corpus, objects, 0, 1, 1, config.model_copy(update={"samples": samples}))
        decibels = [agreement(best.rgba, ours.rgba)[0] for best, ours in zip(converged, done, strict=True)]
        figures[f"samples_{samples}_db_{shading}"] = float(np.median(decibels))
        figures[f"samples_{samples}_cpu_s_per_view_{shading}"] = cpu_s_per_view(done)
    figures[f"samples_{CONVERGED}_cpu_s_per_view_{shading}"] = cpu_s_per_view(converged)
    return figures


def core_figures(corpus: str, objects: int) -> dict[str, float]:
    """Two cores used by threads, and by processes."""
    config = RenderConfig(engine="blenderproc", shading="diffuse", views=VIEWS, resolution=512, samples=16)
    figures = {}
    for name, processes, threads in (("two_threads", 1, 2), ("two_processes", 2, 1)):
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            parts = pool.starmap(
                timed_views_of, [(corpus, objects, part, processes, threads, config) for part in range(processes)]
            )
        first, last = min(part[0] for part in parts), max(part[1] for part in parts)
        figures[f"wall_s_{name}"] = last - first
        figures[f"cpu_s_per_view_{name}"] = cpu_s_per_view([result for part in parts for result in part[2]])
    return figures


def views_of(corpus: str, objects: int, part: int, parts: int, threads: int, config: RenderConfig) -> list[Rendered]:
    """Every `parts`-th of the objects, from the one of number `part` on, rendered; those that are refused left out."""
    return timed_views_of(corpus, objects, part, parts, threads, config)[2]


def timed_views_of(
    corpus: str, objects: int, part: int, parts: int, threads: int, config: RenderConfig
) -> tuple[float, float, list[Rendered]]:
    """As `views_of`, after the times (by one clock for all processes) when the first one began and the last ended."""
    opened = Corpus(corpus)
    assets = evenly(assets_of(opened), objects)[part::parts]
    results = rendered(opened, assets, config, threads=threads)
    done = [next(results)]
    began = time.monotonic() - done[0].wall_s
    done += results
    return began, time.monotonic(), [result for result in done if not result.refusal]


def cpu_s_per_view(done: list[Rendered]) -> float:
    return float(np.median([result.cpu_s for result in done])) / VIEWS


if __name__ == "__main__":
    main()
