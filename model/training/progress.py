"""Lines with the progress of training, every few seconds; the runner keeps its spinner below them."""

import time
from collections.abc import Mapping

SECONDS_BETWEEN_LINES = 5.0


class TrainingProgress:
    """Counts steps from `first` on and prints a line now and then."""

    def __init__(self, run: str, first: int, steps: int, batch_size: int):
        self._run, self._first, self._steps, self._batch_size = run, first, steps, batch_size
        self._started = self._printed = time.monotonic()

    def step(self, done: int, values: Mapping[str, float]) -> None:
        """`done` steps are made; `values` are the last one's."""
        now = time.monotonic()
        if now - self._printed < SECONDS_BETWEEN_LINES and done < self._steps:
            return
        self._printed = now
        seconds_per_step = (now - self._started) / (done - self._first)
        rate, left_s = self._batch_size / seconds_per_step, (self._steps - done) * seconds_per_step
        parts = f"step {done} of {self._steps}, loss {values['loss']:.3f}, {rate:.1f} objects/s, {left_s:.0f} s left"
        print(f"train {self._run}: {parts}", flush=True)
