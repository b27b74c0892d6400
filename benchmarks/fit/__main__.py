"""How well and how fast splats are fitted: the figures of the fit engine, on real and on synthetic objects.

    python -m benchmarks.fit CORPUS WORK [--part NAME …]

CORPUS has finished its render stage (benchmarks/render/textured_furniture.py and workflows/fit_benchmark.yaml make
it). What is measured, and how, is told by the module of each part:

- corpus: `corpus.py`: 10,000 and 20,000 Gaussians on every object;
- reach: `reach.py`: iterations and seconds to 30, 33 and 35 dB;
- larger_views: `larger_views.py`: fitted at 256², scored at 512²;
- scenes: `scenes.py`: three synthetic scenes;
- peers: `peers.py`: beside plain torch and Mitsuba 3;
- memory: `memory.py`: a worker's peak.

Finished parts, and finished fits within a part, are kept in WORK, so that the benchmark can be taken up again; a part
that is named is measured anew. CPU seconds are of one thread; where other work shares the processor's caches they are
too high.

Writes fit.json from the parts that are finished.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from benchmarks.fit.corpus import corpus_figures
from benchmarks.fit.larger_views import larger_views_figures
from benchmarks.fit.memory import memory_figures
from benchmarks.fit.peers import peer_figures
from benchmarks.fit.reach import reach_figures
from benchmarks.fit.scenes import scene_figures
from benchmarks.record import commit, record
from pipeline import Corpus

PARTS: dict[str, Callable[[Corpus, Corpus], dict[str, float]]] = {
    "corpus": corpus_figures,
    "reach": reach_figures,
    "larger_views": larger_views_figures,
    "scenes": lambda corpus, work: scene_figures(),
    "peers": lambda corpus, work: peer_figures(),
    "memory": lambda corpus, work: memory_figures(corpus),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a corpus whose objects are rendered")
    parser.add_argument("work", type=Path, help="folder for what is finished")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("numba").setLevel(logging.WARNING)
    corpus, work = Corpus(arguments.corpus), Corpus(arguments.work.resolve())
    for name in arguments.part or PARTS:
        if name in arguments.part or not work.exists("parts", f"{name}.json"):
            figures = {key: round(float(value), 3) for key, value in PARTS[name](corpus, work).items()}
            work.write_json({"commit": commit(), "figures": figures}, "parts", f"{name}.json")
    parts = {name: work.read_json("parts", f"{name}.json") for name in PARTS if work.exists("parts", f"{name}.json")}
    record("fit", {key: value for part in parts.values() for key, value in part["figures"].items()}, notes(parts))


def notes(parts: dict[str, dict]) -> str:
    made_at = ", ".join(f"{name} {part['commit']}" for name, part in parts.items())
    return (
        "benchmarks/fit tells which module made which figure. PSNR is over the held-out views (every 6th) on white, "
        "psnr_object over the pixels where the object is; CPU seconds are of one thread, from the row of views to the "
        f"stored and measured splat, on a machine that had other work. Commits of the parts: {made_at}."
    )


if __name__ == "__main__":
    main()
