"""The two render engines side by side: what they cost, and how far their pictures agree.

    python -m benchmarks.render CORPUS [--objects 10] [--compared 6] [--pictures FILE.png]

CORPUS has finished its assets stage; the objects are spread evenly over it. The raster engine renders `objects` of them
as the default config asks (36 views at 512², albedo, 16 samples); `compared` of these are rendered by both engines (24
views at 256², the other settings the same). Costs are CPU seconds, Blender's process included, from the unpacked asset
to pixels in memory; image files and surface points, the same for every engine, come on top. Agreement is taken between
views in 8-bit sRGB: PSNR over the pixels that either engine shows any of, both over black, and the overlap
(intersection over union) of the pixels that are at least half covered; medians over objects. Writes render.json.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.record import record
from pipeline.corpus import Corpus
from pipeline.errors import AssetError
from pipeline.rows import Row
from pipeline.stage import StageContext
from render.config import RenderConfig
from render.layers import RenderedView
from render.stage import RenderStage

SMALL = {"views": 24, "resolution": 256}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--compared", type=int, default=6)
    parser.add_argument("--pictures", type=Path, help="two views of every compared object, Blender's above raster's")
    arguments = parser.parse_args()
    corpus = Corpus(arguments.corpus)
    assets = evenly(all_assets(corpus), arguments.objects)
    compared = evenly(assets, arguments.compared)
    with tempfile.TemporaryDirectory() as scratch:
        context = StageContext(corpus, Path(scratch))
        full = [cost for _, cost, _ in rendered(assets, RenderConfig(engine="raster"), context)]
        ours = {
            uid: (cost, views)
            for uid, cost, views in rendered(compared, RenderConfig(engine="raster", **SMALL), context)
        }
        reference = {
            uid: (cost, views)
            for uid, cost, views in rendered(compared, RenderConfig(engine="blenderproc", **SMALL), context)
        }
    both = [uid for uid in reference if uid in ours]
    agreements = [agreement(reference[uid][1], ours[uid][1]) for uid in both]
    figures = {
        "objects": len(assets),
        "raster_refused": len(assets) - len(full),
        "raster_cpu_s_36_views_512": float(np.median(full)),
        "raster_cpu_s_36_views_512_max": float(np.max(full)),
        "compared": len(both),
        "raster_cpu_s_24_views_256": float(np.median([ours[uid][0] for uid in both])),
        "blenderproc_cpu_s_24_views_256": float(np.median([reference[uid][0] for uid in both])),
        "raster_db_albedo": float(np.median([db for db, _ in agreements])),
        "raster_db_albedo_min": float(np.min([db for db, _ in agreements])),
        "raster_iou": float(np.median([iou for _, iou in agreements])),
        "raster_iou_min": float(np.min([iou for _, iou in agreements])),
    }
    if arguments.pictures:
        pairs = [np.concatenate([pictures(reference[uid][1]), pictures(ours[uid][1])]) for uid in both]
        Image.fromarray(np.concatenate(pairs, axis=1)).save(arguments.pictures)
    notes = (
        "Blender takes 16 random samples a pixel, whose noise counts as disagreement. CPU seconds to pixels in memory, "
        "without image files and surface points."
    )
    print(record("render", figures, notes).read_text(encoding="utf-8"))


def all_assets(corpus: Corpus) -> list[Row]:
    """Rows of the assets table, of those shards that are there."""
    shards = sorted({row["shard"] for row in corpus.read_index(["shard"])})
    there = [shard for shard in shards if corpus.filesystem.exists(corpus.shard_path("assets", shard))]
    return [row for shard in there for row in corpus.read_rows("assets", shard)]


def evenly(rows: list[Row], count: int) -> list[Row]:
    return rows[:: max(len(rows) // count, 1)][:count]


def rendered(
    assets: list[Row], config: RenderConfig, context: StageContext
) -> Iterator[tuple[str, float, list[RenderedView]]]:
    """(uid, CPU seconds, views) of every asset that the engine does not refuse; the first one warms it up, untimed."""
    stage = RenderStage(config, context)
    stage.setup()
    try:
        render(stage, assets[0])
        for asset in assets:
            started = cpu_seconds(stage)
            try:
                views = render(stage, asset)
            except AssetError as error:
                print(f"{config.engine} refuses {asset['uid']}: {error}")
                continue
            yield asset["uid"], cpu_seconds(stage) - started, views
    finally:
        stage.close()


def render(stage: RenderStage, asset: Row) -> list[RenderedView]:
    with tempfile.TemporaryDirectory(dir=stage.context.scratch) as name:
        main = stage._unpack(asset, Path(name))
        return list(stage.engine.render(main, asset, stage.cameras(asset["uid"]), Path(name)).views)


def cpu_seconds(stage: RenderStage) -> float:
    """CPU time so far of this process and, where there is one, of the engine's own process (proc(5), fields 14, 15)."""
    spent = time.process_time()
    if stage.config.engine == "blenderproc":
        fields = Path(f"/proc/{stage.engine.blender.pid}/stat").read_text().rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def agreement(reference: list[RenderedView], ours: list[RenderedView]) -> tuple[float, float]:
    """(PSNR in dB, intersection over union) of one object's views."""
    a, b = (np.stack([view.rgba for view in views]).astype(np.float32) for views in (reference, ours))
    shown = (a[..., 3] > 0) | (b[..., 3] > 0)
    difference = (a[..., :3] * a[..., 3:] - b[..., :3] * b[..., 3:])[shown] / 255
    inside = (a[..., 3] >= 128, b[..., 3] >= 128)
    overlap = (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum()
    return float(10 * np.log10(255**2 / np.mean(difference**2))), float(overlap)


def pictures(views: list[RenderedView]) -> np.ndarray:
    """Two views, one above the other, over white."""
    rgba = np.concatenate([views[len(views) // 3].rgba, views[2 * len(views) // 3].rgba]).astype(np.float32)
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


if __name__ == "__main__":
    main()
