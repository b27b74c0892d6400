"""Assets of a corpus rendered for measurement: pixels, and the CPU seconds they took; kept on disk if asked."""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import Corpus
from pipeline.base.errors import PipelineError
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row
from render.config import RenderConfig
from render.stage import RenderStage


@dataclass(frozen=True)
class Rendered:
    """One object as one config shows it."""

    uid: str
    cpu_s: float  # from the stored asset to pixels in memory; image files and surface points come on top
    rgba: np.ndarray  # [V, H, W, 4] uint8; V = 0 where it was refused
    refusal: str  # empty where it was not
    wall_s: float = 0.0  # not known of what is kept on disk


def assets_of(corpus: Corpus) -> list[Row]:
    """Rows of the assets table, of those shards that are there."""
    return [row for shard in corpus.shards("assets") for row in corpus.read_rows("assets", shard)]


def evenly(rows: list[Row], count: int) -> list[Row]:
    """At most `count` rows, spread over all."""
    return [rows[index] for index in np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]


def rendered(
    corpus: Corpus,
    assets: list[Row],
    config: RenderConfig,
    kept: Path | None = None,
    views_kept: int | None = None,
    threads: int = 1,
) -> Iterator[Rendered]:
    """Every asset in turn; the first one is rendered once more beforehand, untimed, to warm the engine up.

    Args:
        kept: a folder for results, which are not made anew where they are there already.
        views_kept: how many views of each go there; None: all.
        threads: of Blender.
    """
    files = {asset["uid"]: kept and kept / f"{asset['uid'].replace('/', '_')}.npz" for asset in assets}
    missing = [asset for asset in assets if not (kept and files[asset["uid"]].exists())]
    made = _render_all(corpus, missing, config, threads)
    for asset in assets:
        file = files[asset["uid"]]
        if asset not in missing:
            with np.load(file) as stored:
                yield Rendered(asset["uid"], float(stored["cpu_s"]), stored["rgba"], str(stored["refusal"]))
            continue
        result = next(made)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".tmp.npz")
            np.savez(unfinished, cpu_s=result.cpu_s, rgba=result.rgba[:views_kept], refusal=result.refusal)
            unfinished.replace(file)
        yield result


def _render_all(corpus: Corpus, assets: list[Row], config: RenderConfig, threads: int) -> Iterator[Rendered]:
    if not assets:
        return
    with tempfile.TemporaryDirectory() as scratch:
        stage = RenderStage(config, StageContext(corpus, Path(scratch), threads))
        stage.setup()
        try:
            _views(stage, assets[0])
            for asset in assets:
                started, began = cpu_seconds(), time.monotonic()
                rgba, refusal = _views(stage, asset)
                spent, passed = cpu_seconds() - started, time.monotonic() - began
                yield Rendered(asset["uid"], spent, rgba, refusal, passed)
        finally:
            stage.close()


def _views(stage: RenderStage, asset: Row) -> tuple[np.ndarray, str]:
    size = (stage.config.resolution, stage.config.resolution, 4)
    try:
        with tempfile.TemporaryDirectory(dir=stage.context.scratch) as name:
            main = stage._unpack(asset, Path(name))
            views = stage.engine.render(main, asset, stage.cameras(asset["uid"]), Path(name)).views
            rgba = np.empty((stage.config.views, *size), np.uint8)
            for index, view in enumerate(views):  # one after the other, as the stage takes them
                rgba[index] = view.rgba
            return rgba, ""
    except PipelineError as error:
        return np.empty((0, *size), np.uint8), str(error)


def cpu_seconds() -> float:
    """CPU time so far of this process and of all its children, ended or running (proc(5), stat, fields 4, 14, 15)."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() + ended.ru_utime + ended.ru_stime
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == os.getpid():
            spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent
