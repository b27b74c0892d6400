"""The two render engines side by side: how far their pictures agree, and what they cost.

    python -m benchmarks.render KEPT CORPUS [CORPUS …] [--parts agreement raster blender defaults] [--objects 100] …

Every CORPUS has finished its assets stage; up to `objects` of each, spread evenly, are compared. Both engines render
the same 2 views of each object at 256², `albedo` and `diffuse`; Blender takes 64 samples a pixel, so that its noise is
small. Agreement is taken in 8-bit sRGB: PSNR over the pixels that either engine shows any of, both over black, and the
overlap (intersection over union) of the pixels that are at least half covered; medians over objects, and the tenth
percentile.

Costs are CPU seconds from the stored asset to pixels in memory, 16 samples a pixel, 512²; image files and surface
points, the same for every engine, come on top. The raster engine renders `timed` objects from 36 views; Blender
`blender-timed` of them from 4, in one process for all, in a process per object, and (one view each) as BlenderProc's
own defaults would have it.

KEPT is a folder for what has been rendered: a run that was stopped goes on, Blender's part is done once, and the raster
engine's once for every state of its code; remove KEPT/cost-* to time anew. Each part writes its own figures of
render.json.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import record
from benchmarks.render.agreement import COMPARED, REFERENCE_SAMPLES, agreement, raster_version
from benchmarks.render.views import Rendered, assets_of, cpu_seconds, evenly, rendered
from pipeline import Corpus
from pipeline.store.rows import Row
from render.config import RenderConfig
from render.files import bundle

PARTS = ("agreement", "raster", "blender", "defaults")
FULL = {"views": 36, "resolution": 512, "samples": 16}
BLENDER_VIEWS = 4
LISTED = 8  # worst objects that are printed
COST = (
    "CPU seconds to pixels in memory, without image files and surface points; median over objects. On a busy machine "
    "they are higher than on a quiet one. "
)
NOTES = {
    "agreement": (
        f"Two views at 256² of each object; Blender's reference takes {REFERENCE_SAMPLES} random samples a pixel. PSNR "
        "over the pixels that either engine shows any of, overlap of those that are at least half covered."
    ),
    "raster": f"{COST}`best_engine`: raster, 36 views at 512², 16 samples a pixel, `diffuse` unless it says albedo.",
    "blender": f"{COST}BlenderProc, `diffuse`, {BLENDER_VIEWS} views at 512², 16 samples a pixel, one thread.",
    "defaults": (
        f"{COST}One view at 512² with the settings that BlenderProc has where nobody changes them (1,024 samples, "
        "adaptive, denoised), in a process of its own, one thread, start included."
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__.partition("\n")[0])
    parser.add_argument("kept", type=Path)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--timed", type=int, default=20)
    parser.add_argument("--blender-timed", type=int, default=4)
    arguments = parser.parse_args()
    corpora, kept = [Corpus(name) for name in arguments.corpora], arguments.kept
    assets = evenly(assets_of(corpora[0]), arguments.timed)
    few = evenly(assets, arguments.blender_timed)
    measures = {
        "agreement": lambda: agreement_figures(corpora, arguments.objects, kept),
        "raster": lambda: raster_costs(corpora[0], assets, kept),
        "blender": lambda: blender_costs(corpora[0], few, kept),
        "defaults": lambda: default_costs(corpora[0], few, kept / "cost-defaults"),
    }
    for part in arguments.parts:
        figures = measures[part]()
        print(part, figures, flush=True)
        record("render", figures, NOTES[part], part)


def raster_costs(corpus: Corpus, assets: list[Row], kept: Path) -> dict[str, float]:
    figures: dict[str, float] = {"timed_objects": len(assets)}
    for shading in ("diffuse", "albedo"):
        config = RenderConfig(engine="raster", shading=shading, **FULL)
        done = _shown(rendered(corpus, assets, config, kept / f"cost-{raster_version()}-{shading}", views_kept=1))
        spent = [result.cpu_s for result in done]
        name = "cpu_s_per_object_best_engine" + ("_albedo" if shading == "albedo" else "")
        figures[name] = float(np.median(spent))
        figures[f"{name}_max"] = float(np.max(spent))
    return figures


def blender_costs(corpus: Corpus, assets: list[Row], kept: Path) -> dict[str, float]:
    figures: dict[str, float] = {"blender_timed_objects": len(assets)}
    settings = {**FULL, "engine": "blenderproc", "shading": "diffuse", "views": BLENDER_VIEWS}
    for kind, recycle_after in (("", 1000), ("_process_per_object", 1)):
        config = RenderConfig(**settings, recycle_after=recycle_after)
        done = _shown(rendered(corpus, assets, config, kept / f"cost-blenderproc{kind}", views_kept=1))
        figures[f"cpu_s_per_view_512{kind}"] = float(np.median([result.cpu_s for result in done])) / BLENDER_VIEWS
    return figures


def default_costs(corpus: Corpus, assets: list[Row], kept: Path) -> dict[str, float]:
    """CPU seconds of one view with the settings that BlenderProc has where nobody changes them."""
    kept.mkdir(parents=True, exist_ok=True)
    spent = []
    for asset in assets:
        file = kept / f"{asset['uid'].replace('/', '_')}.txt"
        if not file.exists():
            file.write_text(f"{_default_cost(corpus, asset, file.with_suffix('.png'))}\n")
        spent.append(float(file.read_text()))
    return {"cpu_s_per_view_512_blenderproc_defaults": float(np.median(spent)), "defaults_timed_objects": len(spent)}


def _default_cost(corpus: Corpus, asset: Row, view: Path) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stored = folder / f"stored{Path(asset['file']).suffix}"
        corpus.get_asset(asset["file"], stored)
        (folder / "asset").mkdir()
        main = bundle.unpack(stored, asset["format"], folder / "asset")
        script = Path(__file__).with_name("blenderproc_defaults.py")
        started = cpu_seconds()
        subprocess.run([sys.executable, str(script), str(main), str(view)], check=True, stdout=subprocess.DEVNULL)
        spent = cpu_seconds() - started
    if not view.is_file():
        raise RuntimeError("BlenderProc left no picture")
    return spent


def agreement_figures(corpora: list[Corpus], objects: int, kept: Path) -> dict[str, float]:
    return _agreement(corpora, objects, "albedo", kept) | _agreement(corpora, objects, "diffuse", kept)


def _agreement(corpora: list[Corpus], objects: int, shading: str, kept: Path) -> dict[str, float]:
    found: list[tuple[float, float, str]] = []
    refused = {"raster": 0, "blenderproc": 0}
    for corpus in corpora:
        assets = evenly(assets_of(corpus), objects)
        settings = {"shading": shading, **COMPARED}
        reference = RenderConfig(engine="blenderproc", samples=REFERENCE_SAMPLES, **settings)
        pairs = zip(
            rendered(corpus, assets, reference, kept / shading),
            rendered(corpus, assets, RenderConfig(engine="raster", **settings), kept / f"{raster_version()}-{shading}"),
            strict=True,
        )
        for theirs, ours in pairs:
            for engine, result in (("blenderproc", theirs), ("raster", ours)):
                if result.refusal:
                    refused[engine] += 1
                    print(f"{engine} refuses {result.uid}: {result.refusal}")
            if not theirs.refusal and not ours.refusal:
                found.append((*agreement(theirs.rgba, ours.rgba), ours.uid))
    found.sort()
    for db, overlap, uid in found[:LISTED]:
        print(f"{shading}: {db:.1f} dB, overlap {overlap:.4f}: {uid}")
    dbs, overlaps, _ = zip(*found, strict=True)
    figures = {f"raster_db_{shading}": float(np.median(dbs)), f"raster_db_{shading}_p10": float(np.percentile(dbs, 10))}
    if shading == "albedo":
        figures |= {"raster_iou": float(np.median(overlaps)), "raster_iou_p10": float(np.percentile(overlaps, 10))}
        figures |= {"compared": len(found), "refused_by_raster": refused["raster"]}
        figures["refused_by_blenderproc"] = refused["blenderproc"]
    return figures


def _shown(results) -> list[Rendered]:
    return [result for result in results if not result.refusal]


if __name__ == "__main__":
    main()
