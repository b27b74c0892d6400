"""Small stages that write rows of the real tables, and misbehave for objects whose name says so."""

import hashlib
import io
import logging
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fit_gaussians.config import FitConfig
from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import SOURCES, AssetSource, Fetched
from pipeline.base.errors import AssetError, ConfigError, WorkerCrash
from pipeline.pack.config import PackConfig
from pipeline.report.config import ReportConfig
from pipeline.stages import registry
from pipeline.stages.entries import CorpusStageEntry, ShardStageEntry
from pipeline.stages.stage import ConfigT, CorpusStage, Failure, Resources, Stage
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row
from pipeline.store.schema import ASSETS, GAUSSIANS, INDEX, VIEWS
from render.config import RenderConfig

logger = logging.getLogger("fit_gaussians.fake")  # a package of this project, for --verbose

LOG = "FAKE_STAGES_LOG"  # where the log is, if not beside the corpus
SLOW = "FAKE_STAGES_SECONDS"  # seconds per object of the fake render stage, which a child process spends
SLOW_FIT = "FAKE_STAGES_FIT_SECONDS"  # the same of the fake fit stage
SCRATCH_BYTES = "FAKE_STAGES_SCRATCH_BYTES"  # that the fake assets stage writes for every object
FATAL_ITERATIONS = 13  # with so many, the fake fit stage dies at its set-up
ENDLESS_ITERATIONS = 14  # with so many, its set-up hangs


def log_of(corpus: CorpusStore) -> Path:
    """The file beside a corpus that gets one line per event."""
    return Path(os.environ.get(LOG) or Path(corpus.root).with_suffix(".log"))


def full_flag(corpus: CorpusStore) -> Path:
    """While this file beside a corpus exists, the fake render stage finds its disk full."""
    return log_of(corpus).with_suffix(".full")


def note(corpus: CorpusStore, event: str) -> None:
    """Append an event to the log; one short write is atomic."""
    with log_of(corpus).open("a", encoding="utf-8") as file:
        file.write(event + "\n")


class FakeStage(Stage[ConfigT]):
    """Notes when it is set up, called and closed."""

    def setup(self) -> None:
        note(self.context.corpus, f"setup {self.name}")

    def close(self) -> None:
        note(self.context.corpus, f"close {self.name}")

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        rows = []
        for row in batch:
            note(self.context.corpus, f"{self.name} {row['uid']}")
            rows.append(self.row(row))
        return rows

    def row(self, row: Row) -> Row | Failure:
        raise NotImplementedError


class FakeAssets(FakeStage[AssetsConfig]):
    name = "assets"
    reads = {"index": ("source", "origin_uri", "name", "tags", "category", "license", "creator", "split")}
    writes = "assets"
    batch_size = 3

    def row(self, row: Row) -> Row | Failure:
        if "broken" in row["uid"]:
            raise AssetError(f"{row['origin_uri']} is broken")
        content = f"solid {row['uid']}".encode()
        local = self.context.scratch / "asset.stl"
        local.write_bytes(bytes(int(os.environ.get(SCRATCH_BYTES, 0))))
        local.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        file = self.context.corpus.put_asset(local, sha256, "stl")
        own = {"file": file, "sha256": sha256, "bytes": len(content), "format": "stl", "up_axis": "z"}
        if row["uid"] == "threads":
            limits = [os.environ.get("OMP_NUM_THREADS"), os.environ.get("NUMBA_NUM_THREADS"), self.context.threads]
            own["creator"] = " ".join(map(str, limits))
        if row["uid"] == "logs":
            own["creator"] = logging.getLevelName(logger.getEffectiveLevel())
        return dict.fromkeys(ASSETS.names) | row | own


class FakeRender(FakeStage[RenderConfig]):
    name = "render"
    reads = {"assets": ("file", "name")}
    writes = "views"
    batch_size = 2

    @classmethod
    def resources(cls, config: RenderConfig) -> Resources:
        return Resources(cpus=1, memory_gb=0.2)

    @classmethod
    def timeout_s(cls, config: RenderConfig) -> float:
        return config.timeout_s

    def row(self, row: Row) -> Row | Failure:
        if full_flag(self.context.corpus).exists():
            Path("/dev/full").write_bytes(b"a file that finds no room")
        if SLOW in os.environ and subprocess.run(["sleep", os.environ[SLOW]], check=False).returncode:
            raise WorkerCrash("Blender died")
        if "crash" in row["uid"]:
            os._exit(17)
        if "hang" in row["uid"]:
            time.sleep(1000)
        if "flaky" in row["uid"]:
            flag = log_of(self.context.corpus).with_suffix(".flag")
            if not flag.exists():
                flag.touch()
                raise WorkerCrash("Blender died")
        if "refuse" in row["uid"]:
            raise ConfigError("render: this machine has no Blender")
        if "failure" in row["uid"]:
            return Failure(row["uid"], "AssetError", "nothing to see", log_tail="last words")
        seed = int.from_bytes(row["uid"].encode()[-4:], "big")
        views, size = self.config.views, self.config.resolution
        pixels = np.random.default_rng(seed).integers(0, 255, (views, size, size, 4), np.uint8)
        values = dict.fromkeys(VIEWS.names)
        values |= {"uid": row["uid"], "images": [{"bytes": webp(image), "path": None} for image in pixels]}
        values |= {
            "width": size,
            "height": size,
            "coverage": 0.5,
            "engine": "fake",
            "render_seconds": time.time() % 100,
        }
        values |= {"intrinsics": np.ones((views, 4)), "world_to_camera": np.tile(np.eye(4).reshape(16), (views, 1))}
        values |= {"center": np.zeros(3), "scale": 1.0, "points": np.ones((5, 3)), "point_normals": np.ones((5, 3))}
        return values | {"point_colors": np.ones((5, 3)), "shading": "albedo", "samples": self.config.samples}


class FakeFit(FakeStage[FitConfig]):
    name = "fit"
    reads = {"views": ("images", "points")}
    writes = "gaussians"

    @classmethod
    def resources(cls, config: FitConfig) -> Resources:
        return Resources(cpus=1, gpus=1 if config.backend == "gsplat" else 0, memory_gb=0.2)

    @classmethod
    def setup_timeout_s(cls, config: FitConfig) -> float:
        return 1.0 if config.iterations == ENDLESS_ITERATIONS else 3600.0

    def setup(self) -> None:
        if self.config.iterations == FATAL_ITERATIONS:
            os._exit(18)
        if self.config.iterations == ENDLESS_ITERATIONS:
            time.sleep(1000)
        logger.info("fit: set up")
        super().setup()

    def row(self, row: Row) -> Row | Failure:
        time.sleep(float(os.environ.get(SLOW_FIT, 0)))
        if "die" in row["uid"]:
            os._exit(19)
        count = self.config.num_gaussians
        values = dict.fromkeys(GAUSSIANS.names)
        values |= {"uid": row["uid"], "num_gaussians": count, "means": np.full((count, 3), row["points"].mean())}
        values |= {
            "quats": np.tile([1, 0, 0, 0], (count, 1)),
            "scales": np.ones((count, 3)),
            "opacities": np.ones(count),
        }
        return values | {"colors": np.ones((count, 3)), "psnr": 30.0 + len(row["images"]), "fit_seconds": 0.1}


class FakePack(CorpusStage[PackConfig]):
    name = "pack"
    after = ("assets", "render", "fit")

    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        note(corpus, "pack")
        return {"shards": len(corpus.shards("gaussians"))}


class FakeReport(CorpusStage[ReportConfig]):
    name = "report"
    after = ("pack",)

    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        note(corpus, "report")
        corpus.write_text("<html></html>", "report", "index.html")
        return {}


def webp(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


class FakeSource(AssetSource):
    """Lists the uids that `assets.path` names, with commas between them; it makes no row of those that begin `odd:`."""

    def plan(self) -> Iterator[Row]:
        for uid in filter(None, self.config.path.split(",")):
            if uid.startswith("odd:"):
                self.unplanned.note(f"fake:{uid}", "it is odd")
                continue
            empty = {name: None for name in INDEX.names if name != "shard"}
            split = "heldout" if uid.startswith("held") else ""
            yield empty | {"uid": uid, "source": "fake", "origin_uri": f"fake:{uid}", "tags": ["a"], "split": split}

    def fetch(self, row: Row, folder: Path) -> Fetched:
        raise AssertionError("the fake assets stage does not fetch")


SHARD_ENTRIES = (
    ShardStageEntry("assets", f"{__name__}:FakeAssets", ("index",), "assets"),
    ShardStageEntry("render", f"{__name__}:FakeRender", ("assets",), "views"),
    ShardStageEntry("fit", f"{__name__}:FakeFit", ("views",), "gaussians"),
)
CORPUS_ENTRIES = (
    CorpusStageEntry("pack", f"{__name__}:FakePack", FakePack.after),
    CorpusStageEntry("report", f"{__name__}:FakeReport", FakeReport.after),
)


def register() -> None:
    """Put the fakes in the place of the real stages, in this process; jobs carry them to their workers."""
    registry.SHARD_STAGES.clear()
    registry.SHARD_STAGES.update({entry.name: entry for entry in SHARD_ENTRIES})
    registry.CORPUS_STAGES.clear()
    registry.CORPUS_STAGES.update({entry.name: entry for entry in CORPUS_ENTRIES})
    SOURCES["fake"] = f"{__name__}:FakeSource"
