"""Splats fitted to views of 256², scored on views of 512² too: does a splat hold when one comes nearer?

Both sizes are rendered by the raster engine from the assets of the corpus, so that nothing but the size differs, with
the standard setting of `benchmarks/fit/corpus.py` for the fit.
"""

import logging
from pathlib import Path

import numpy as np
import torch

from benchmarks.fit.corpus import SETTINGS, STANDARD, file_name
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.metrics import measure
from fit_gaussians.stage import prepare
from fit_gaussians.storage import prepare_for_storage
from pipeline import Corpus
from pipeline.base.errors import PipelineError
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row
from render.config import RenderConfig
from render.stage import RenderStage

logger = logging.getLogger(__name__)

OBJECTS = 24
CPU = torch.device("cpu")


def larger_views_figures(corpus: Corpus, work: Corpus) -> dict[str, float]:
    """Medians over the objects that the raster engine can show, of the same held-out cameras."""
    scores = []
    for asset in assets_of(corpus):
        path = ("larger_views", f"{file_name(asset['uid'])}.json")
        if not work.exists(*path):
            try:
                work.write_json(score(asset, corpus, work), *path)
            except PipelineError as error:
                logger.warning("%s", error)
                continue
        scores.append(work.read_json(*path))
    return {"larger_views_objects": len(scores)} | {
        f"{name}_median_raster": float(np.median([score[name] for score in scores])) for name in scores[0]
    }


def assets_of(corpus: Corpus) -> list[Row]:
    """Rows of the assets table, spread evenly over it."""
    rows = [row for shard in corpus.shards("assets") for row in corpus.read_rows("assets", shard)]
    return rows[:: max(len(rows) // OBJECTS, 1)][:OBJECTS]


def score(asset: Row, corpus: Corpus, work: Corpus) -> dict[str, float]:
    """Held-out PSNR at both sizes of one fit at 256².

    Raises:
        AssetError: the raster engine refuses the object, or it cannot be fitted.
    """
    torch.set_num_threads(1)
    config = SETTINGS[STANDARD].config
    task = prepare(render(asset, 256, corpus, work), config)
    larger = prepare(render(asset, 512, corpus, work), config.model_copy(update={"resolution": 512}))
    splat, _ = fit_on_cpu(task.initial, task.train, task.seed, config)
    splat = prepare_for_storage(splat)
    at_256, at_512 = (
        measure(splat, views, config.rasterize_mode, config.eps2d, "numba", CPU)
        for views in (task.heldout, larger.heldout)
    )
    logger.info("%s: %.2f dB at 256², %.2f dB at 512²", asset["uid"], at_256.psnr, at_512.psnr)
    return {
        "psnr_at_256": at_256.psnr,
        "psnr_at_512": at_512.psnr,
        "psnr_object_at_256": at_256.psnr_object,
        "psnr_object_at_512": at_512.psnr_object,
    }


def render(asset: Row, resolution: int, corpus: Corpus, work: Corpus) -> Row:
    """36 views of an object, albedo."""
    config = RenderConfig(engine="raster", views=36, resolution=resolution, samples=16)
    stage = RenderStage(config, StageContext(corpus=corpus, scratch=Path(work.root), threads=1))
    stage.setup()
    try:
        (row,) = stage.process([asset])
    finally:
        stage.close()
    return row
