"""Training: in this process, or on several ranks that Ray Train starts. The only file of `model` that knows Ray."""

import logging
import os
from typing import Any

import torch

from model.config import TrainConfig
from model.trainer import Ranks, Trainer
from pipeline.corpus import Corpus

logger = logging.getLogger(__name__)


def train(corpus: Corpus, config: TrainConfig) -> dict[str, Any]:
    """Train a run to its last step, from its checkpoint on if it has one; returns figures.

    Raises:
        ConfigError: the corpus or the config cannot be trained; raised before the first step.
    """
    if config.ranks > 1:
        return _train_with_ray(corpus, config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _train_rank(corpus, config, Ranks(device=device))


def _train_rank(corpus: Corpus, config: TrainConfig, ranks: Ranks) -> dict[str, Any]:
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads or max(1, len(os.sched_getaffinity(0)) // ranks.count))
    try:
        return Trainer(corpus, config, ranks).run()
    finally:
        torch.set_num_threads(before)


def _train_with_ray(corpus: Corpus, config: TrainConfig) -> dict[str, Any]:
    raise NotImplementedError
