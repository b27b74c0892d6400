"""The stage objects of one worker process: each is made at its first shard, kept, and closed at the end."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.stages.entries import missing_package
from pipeline.stages.stage import Stage, StageContext
from pipeline.store.leftovers import SCRATCH, owned_name, remove_dead
from pipeline.work.job import Job

logger = logging.getLogger(__name__)


class StageObjects:
    """Stages by name, for one job. A context manager."""

    def __init__(self, job: Job, threads: int):
        """
        Args:
            threads: CPU threads that this process may keep busy.
        """
        self.job = job
        self._threads = threads
        folder = Path(tempfile.gettempdir())
        remove_dead(folder, SCRATCH)
        self._scratch = folder / f"{SCRATCH}{owned_name()}"
        self._scratch.mkdir(mode=0o700)
        self._stages: dict[str, Stage[Any]] = {}
        self._unreported_setup: dict[str, float] = {}

    def get(self, name: str, on_setup: Callable[[float], None]) -> Stage[Any]:
        """The stage, set up.

        Args:
            on_setup: is told how long its set-up may take, before that begins.

        Raises:
            ConfigError: a package is missing, or the stage says so itself.
        """
        if name not in self._stages:
            started = time.perf_counter()
            entry = self.job.stages[name]
            scratch = self._scratch / name
            scratch.mkdir(exist_ok=True)
            context = StageContext(self.job.corpus, scratch, self._threads)
            try:
                stage_class, config = entry.load(), getattr(self.job.config, name)
                on_setup(stage_class.setup_timeout_s(config))
                stage = stage_class(config, context)
                stage.setup()
            except ModuleNotFoundError as error:
                raise missing_package(entry, error) from error
            self._stages[name] = stage
            self._unreported_setup[name] = time.perf_counter() - started
        return self._stages[name]

    def setup_seconds(self, name: str) -> float:
        """How long the set-up took; 0 when asked again, so that it is counted once."""
        return self._unreported_setup.pop(name, 0.0)

    def close(self) -> None:
        """Close all stages, even if one of them fails, and empty the scratch folder."""
        while self._stages:
            name, stage = self._stages.popitem()
            try:
                stage.close()
            except Exception:
                logger.exception("stage %s failed to close; its results are safe", name)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> "StageObjects":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
