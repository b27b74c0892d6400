"""Checkpoints of a run, replaced atomically: what a training run needs to resume as if it had never stopped."""

import logging
from typing import Any

import torch

from pipeline.store.corpus_store import CorpusStore

logger = logging.getLogger(__name__)

FILE = "checkpoint.pt"


def save_checkpoint(corpus: CorpusStore, run: str, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values): there is always one whole checkpoint, the old or the new."""
    with corpus.atomic_file(corpus.path("runs", run, FILE)) as file:
        torch.save(state, file)


def load_checkpoint(corpus: CorpusStore, run: str) -> dict[str, Any] | None:
    """The run's checkpoint, if it has one."""
    if not corpus.exists("runs", run, FILE):
        return None
    with corpus.open_binary("runs", run, FILE) as file:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def put_aside(corpus: CorpusStore, run: str, fingerprint: str) -> None:
    """Rename the folder of a run with other settings, so that a new training run does not overwrite it."""
    kept = f"{run}-{fingerprint}"
    logger.warning("run %s was trained under another config or on other data: kept as %s, starting over", run, kept)
    if corpus.exists("runs", kept):
        corpus.remove_folder("runs", kept)
    corpus.rename_folder(f"runs/{run}", f"runs/{kept}")
