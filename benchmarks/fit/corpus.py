"""Fits of the objects of a rendered corpus by the fit stage, with some settings, kept on disk; and how good they are.

A finished fit lies in the work folder as a Parquet file of the gaussians table with its figures beside it, and is not
made again, also by later code. CPU seconds, which that may change, are those of the fits of the latest commit: from the
row of views to the stored and measured splat, in one thread.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.record import commit
from fit_gaussians.config import FitConfig
from fit_gaussians.stage import FitStage
from pipeline import Corpus
from pipeline.stages.stage import Failure, StageContext
from pipeline.store.rows import Row
from pipeline.store.schema import GAUSSIANS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    config: FitConfig
    objects: int
    """The first so many objects are fitted with it."""


SETTINGS = {
    "10k": Setting(FitConfig(num_gaussians=10_000, iterations=200, backend="numba"), 112),
    "20k": Setting(FitConfig(num_gaussians=20_000, iterations=300, backend="numba"), 112),
}
STANDARD = "20k"
SCALARS = ("psnr", "psnr_object", "psnr_worst_view", "ssim", "num_gaussians")


def corpus_figures(corpus: Corpus, work: Corpus) -> dict[str, float]:
    """The figures by the keys of fit.json; those without a setting in their name are of the standard one."""
    fits = {name: list(fit_all(corpus, work, name).values()) for name in SETTINGS}
    figures: dict[str, float] = {}
    for name, setting in SETTINGS.items():
        psnr = values(fits[name], "psnr")
        latest = max(fits[name], key=lambda fit: fit["made_at"])["commit"]
        cpu_s = values([fit for fit in fits[name] if fit["commit"] == latest], "cpu_s")
        figures |= {
            f"objects_{name}": len(fits[name]),
            f"iterations_{name}": setting.config.iterations,
            f"psnr_median_{name}": np.median(psnr),
            f"psnr_p10_{name}": np.percentile(psnr, 10),
            f"psnr_object_median_{name}": np.median(values(fits[name], "psnr_object")),
            f"ssim_median_{name}": np.median(values(fits[name], "ssim")),
            f"cpu_s_{name}": np.median(cpu_s),
            f"cpu_s_p90_{name}": np.percentile(cpu_s, 90),
            f"cpu_s_objects_{name}": len(cpu_s),
        }
    standard = fits[STANDARD]
    return figures | {
        "psnr_object_median": np.median(values(standard, "psnr_object")),
        "psnr_worst_view_median": np.median(values(standard, "psnr_worst_view")),
        "share_over_30": np.mean(values(standard, "psnr") > 30),
        "share_over_35": np.mean(values(standard, "psnr") > 35),
        "bytes_per_gaussian": values(standard, "bytes").sum() / values(standard, "num_gaussians").sum(),
    }


def fit_all(corpus: Corpus, work: Corpus, setting: str) -> dict[str, dict]:
    """The figures of each fit of a setting by the object's uid; objects that cannot be fitted are told and left out."""
    config, objects = SETTINGS[setting].config, SETTINGS[setting].objects
    stage = None
    results = {}
    for row in views_of(corpus, objects):
        figures = finished(work, setting, row["uid"])
        if figures is None:
            if stage is None:
                stage = make_stage(config, work)
                stage.process([row])  # the kernels' machine code is loaded, or compiled
            figures = fit_once(stage, row, work, setting)
        if figures:
            results[row["uid"]] = figures
    return results


def views_of(corpus: Corpus, objects: int) -> Iterator[Row]:
    """The first rows of the views table, shard by shard."""
    left = objects
    for shard in corpus.shards("views"):
        for row in corpus.read_rows("views", shard)[:left]:
            left -= 1
            yield row


def make_stage(config: FitConfig, work: Corpus) -> FitStage:
    stage = FitStage(config, StageContext(corpus=work, scratch=Path(work.root), threads=1))
    stage.setup()
    return stage


def fit_once(stage: FitStage, row: Row, work: Corpus, setting: str) -> dict | None:
    """Fit one object and keep the splat; None if it cannot be fitted."""
    started = time.process_time()
    (result,) = stage.process([row])
    cpu_s = time.process_time() - started
    if isinstance(result, Failure):
        logger.warning("%s: %s", setting, result.message)
        return None
    splat = splat_path(work, setting, row["uid"])
    with work.table_writer(splat, GAUSSIANS) as writer:
        writer.write([result])
    figures = {column: result[column] for column in SCALARS}
    figures |= {"cpu_s": cpu_s, "bytes": Path(splat).stat().st_size}
    figures |= {"commit": commit(), "made_at": time.time()}
    work.write_json(figures, setting, f"{file_name(row['uid'])}.json")
    logger.info("%-9s %-40s %.2f dB %.2f s", setting, row["uid"], result["psnr"], cpu_s)
    return figures


def finished(work: Corpus, setting: str, uid: str) -> dict | None:
    """The figures of a fit made earlier."""
    path = (setting, f"{file_name(uid)}.json")
    return work.read_json(*path) if work.exists(*path) else None


def splat_path(work: Corpus, setting: str, uid: str) -> str:
    return work.path(setting, f"{file_name(uid)}.parquet")


def file_name(uid: str) -> str:
    return uid.replace("/", "_")


def values(fits: list[Mapping[str, float]], key: str) -> np.ndarray:
    return np.array([fit[key] for fit in fits])
