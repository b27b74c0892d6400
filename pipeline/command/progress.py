"""Showing the progress of a run: a live line per stage on a terminal, plain lines now and then elsewhere."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline.work.job import ShardReport

SECONDS_BETWEEN_LINES = 5.0


class StageProgress:
    """Counts reports by stage and shows them. A context manager."""

    def __init__(self, totals: Mapping[str, int], console: Console):
        """
        Args:
            totals: objects in the shards that this run touches, by stage; fewer arrive where an earlier stage fails.
        """
        self._totals = dict(totals)
        self._console = console
        self._done = dict.fromkeys(totals, 0)
        self._failed = dict.fromkeys(totals, 0)
        self._last_line = dict.fromkeys(totals, float("-inf"))
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description:>9}"),
                BarColumn(),
                TextColumn("{task.fields[done]} done, {task.fields[failed]} failed of {task.total:.0f}"),
                TimeElapsedColumn(),
                console=console,
            )
            self._tasks = {
                name: self._bars.add_task(name, total=total, done=0, failed=0, start=False)
                for name, total in totals.items()
            }

    def report(self, report: ShardReport) -> None:
        """Count one shard of one stage."""
        self._done[report.stage] += report.done
        self._failed[report.stage] += report.failed
        self._show(report.stage)

    def _show(self, stage: str) -> None:
        done, failed, total = self._done[stage], self._failed[stage], self._totals[stage]
        if self._bars is not None:
            self._bars.start_task(self._tasks[stage])
            self._bars.update(self._tasks[stage], completed=done + failed, done=done, failed=failed)
            return
        now = time.monotonic()
        if now - self._last_line[stage] > SECONDS_BETWEEN_LINES:
            self._last_line[stage] = now
            self._console.print(f"{stage}: {done} done, {failed} failed of {total}", highlight=False)

    def __enter__(self) -> "StageProgress":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()
            return
        for stage in self._totals:
            self._console.print(f"{stage}: {self._done[stage]} done, {self._failed[stage]} failed", highlight=False)
