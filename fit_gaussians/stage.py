"""The fit stage: a row of views in, a row of Gaussians out."""

import hashlib
import logging
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.cpu.warm_up import compile_kernels
from fit_gaussians.metrics import measure
from fit_gaussians.rasterize import Backend
from fit_gaussians.recipe.initialise import initial_gaussians
from fit_gaussians.storage import prepare_for_storage
from fit_gaussians.views import MIN_COVERED_PIXELS, Views, read_views, split_views
from pipeline.base.errors import AssetError, ConfigError
from pipeline.compat.devices import cuda_is_available
from pipeline.stages.stage import Failure, Resources, Row, Stage, StageContext
from pipeline.values.splat import Gaussians

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One object, ready to be fitted."""

    uid: str
    seed: int
    initial: Gaussians
    train: Views
    heldout: Views
    heldout_views: list[int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """What the objects of one batched call have in common."""
        return len(self.train), self.train.height, self.train.width


class FitStage(Stage[FitConfig]):
    """Fits Gaussians to the training views of each object and measures them on the held-out ones."""

    name = "fit"
    reads = {
        "views": (
            "images",
            "width",
            "height",
            "intrinsics",
            "world_to_camera",
            "points",
            "point_normals",
            "point_colors",
        )
    }
    writes = "gaussians"

    def __init__(self, config: FitConfig, context: StageContext):
        super().__init__(config, context)
        self.backend = choose_backend(config)
        self.device = "cuda" if self.backend == "gsplat" else "cpu"
        self.batch_size = config.gpu_batch if self.backend == "gsplat" else 1

    @classmethod
    def resources(cls, config: FitConfig) -> Resources:
        on_gpu = choose_backend(config) == "gsplat"
        return Resources(cpus=1, gpus=int(on_gpu), memory_gb=2 if on_gpu else 1)

    def setup(self) -> None:
        logger.info("fit: %s rasterizer on %s", self.backend, self.device)
        if self.backend == "numba":
            compile_kernels(self.config)

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        """One row of `gaussians`, or one failure, for every row of views.

        Objects whose views differ in number or size cannot share a call; they are fitted group by group.
        """
        started = time.perf_counter()
        results: dict[str, Row | Failure] = {}
        groups: dict[tuple[int, int, int], list[Task]] = defaultdict(list)
        for row in batch:
            try:
                task = prepare(row, self.config)
                groups[task.shape].append(task)
            except AssetError as error:
                results[row["uid"]] = Failure.from_exception(row["uid"], error)
        for tasks in groups.values():
            results |= self._fit(tasks)
        seconds = (time.perf_counter() - started) / len(batch)
        for result in results.values():
            if isinstance(result, dict):
                result["fit_seconds"] = seconds
        return [results[row["uid"]] for row in batch]

    def _fit(self, tasks: list[Task]) -> dict[str, Row | Failure]:
        if self.backend == "numba":  # each fit ends when it likes
            fits = [fit_on_cpu(task.initial, task.train, task.seed, self.config) for task in tasks]
        else:
            from fit_gaussians.gpu.fit import fit_batch  # with torch, which a fit on the CPU does without

            splats, iterations = fit_batch(
                [task.initial for task in tasks],
                [task.train for task in tasks],
                [task.seed for task in tasks],
                self.config,
                backend=self.backend,
                device=self.device,
            )
            fits = [(splat, iterations) for splat in splats]
        return {task.uid: self._result(task, *fit) for task, fit in zip(tasks, fits, strict=True)}

    def _result(self, task: Task, fitted: Gaussians, iterations: int) -> Row | Failure:
        config = self.config
        if not fitted.is_finite():
            error = AssetError(f"object {task.uid}: the fit diverged to NaN or infinite values")
            return Failure.from_exception(task.uid, error)
        splat = prepare_for_storage(fitted)
        quality = measure(splat, task.heldout, config.rasterize_mode, config.eps2d, self.backend, self.device)
        return {
            "uid": task.uid,
            "num_gaussians": len(splat),
            **splat.arrays(),
            "sh_degree": splat.sh_degree,
            "sh_rest": splat.sh_rest.reshape(-1, 3),
            "rasterize_mode": config.rasterize_mode,
            "eps2d": config.eps2d,
            **vars(quality),
            "heldout_views": np.array(task.heldout_views, np.int32),
            "fit_width": task.train.width,
            "fit_height": task.train.height,
            "iterations": iterations,
            "backend": self.backend,
        }


def choose_backend(config: FitConfig) -> Backend:
    """The rasterizer that `config.backend` means on this machine.

    Raises:
        ConfigError: gsplat was asked for where there is no CUDA device.
    """
    cuda = config.backend != "numba" and cuda_is_available()
    if config.backend == "gsplat" and not cuda:
        raise ConfigError("fit.backend is gsplat, but there is no CUDA device; use auto or numba")
    return "gsplat" if cuda else "numba"


def prepare(row: Row, config: FitConfig) -> Task:
    """Decode the views of a row and lay the initial Gaussians on its surface points.

    Raises:
        AssetError: views or points that nothing can be fitted to; the message says what is wrong with them.
    """
    uid = row["uid"]
    views = read_views(row, config.resolution)
    try:
        train, heldout = split_views(len(views), config.heldout_every)
    except ValueError as error:
        raise AssetError(f"object {uid}: {error}; render more views") from error
    for name, part in (("training", train), ("held-out", heldout)):
        if views[part].opaque_pixels() < MIN_COVERED_PIXELS:
            raise AssetError(f"object {uid}: the {len(part)} {name} views are (nearly) transparent")
    seed = seed_of(uid, config.seed)
    try:
        initial = initial_gaussians(
            row["points"], row["point_normals"], row["point_colors"], config.num_gaussians, np.random.default_rng(seed)
        )
    except ValueError as error:
        raise AssetError(f"object {uid}: {error}; render it again") from error
    return Task(uid, seed, initial, views[train], views[heldout], heldout)


def seed_of(uid: str, seed: int) -> int:
    """A seed that depends on the object and the config's seed alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{uid}".encode()).digest()[:8], "little")
