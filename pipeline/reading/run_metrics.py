"""`metrics.jsonl` of a training run: one JSON object a line, the numbers of one step, `step` among them."""

import json
import logging

from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore

logger = logging.getLogger(__name__)

FILE = "metrics.jsonl"


def read_metrics(corpus: CorpusStore, run: str) -> list[dict[str, float]]:
    """The rows of a run, in order; none where it has no such file.

    A last line that was cut short, as a process that is killed while it writes may leave it, is left out.

    Raises:
        ConfigError: another line is not JSON.
    """
    if not corpus.exists("runs", run, FILE):
        return []
    path = corpus.path("runs", run, FILE)
    lines = corpus.read_bytes("runs", run, FILE).splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise ConfigError(f"{path}: line {number} is not JSON ({error}): remove it") from error
            logger.warning("%s: its last line is truncated and ignored", path)
    return rows


def write_metrics(corpus: CorpusStore, run: str, rows: list[dict[str, float]]) -> None:
    """Replace the rows of a run, atomically."""
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), "runs", run, FILE)
