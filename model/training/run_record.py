"""The record of a run: `metrics.jsonl` (one object per line) and, on a local disk, TensorBoard's event files."""

import logging

from model.config import TrainConfig
from pipeline.reading.run_metrics import FILE, read_metrics, write_metrics
from pipeline.store.corpus_store import CorpusStore

logger = logging.getLogger(__name__)


class Metrics:
    """Rows of numbers by step. Rows after the step from which a run resumes are dropped."""

    def __init__(self, corpus: CorpusStore, config: TrainConfig, first_step: int):
        self._corpus, self._run = corpus, config.run
        self.rows = [row for row in read_metrics(corpus, config.run) if row["step"] <= first_step]
        self._writer = None
        if config.tensorboard and corpus.is_local:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(corpus.path("runs", config.run, "tensorboard"), purge_step=first_step + 1)
        elif config.tensorboard:
            logger.info("no TensorBoard files in a bucket: read runs/%s/%s", config.run, FILE)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Note `values` of a step."""
        self.rows.append({"step": step, **values})
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def last(self) -> dict[str, float]:
        """The most recent losses."""
        rows = (row for row in reversed(self.rows) if "loss" in row)
        return {name: value for name, value in next(rows, {}).items() if name.startswith("loss")}

    def flush(self) -> None:
        """Write everything noted so far; the file is replaced atomically."""
        write_metrics(self._corpus, self._run, self.rows)
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._writer is not None:
            self._writer.close()
