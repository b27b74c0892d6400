"""Training: in this process, or on several ranks that Ray Train starts. The only file of `model` that knows Ray."""

import logging
from typing import Any

import torch

from model.config import TrainConfig
from model.training.threads import torch_threads
from model.training.trainer import Ranks, Trainer
from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore

logger = logging.getLogger(__name__)

OUTCOME = "training.json"  # what the leader of a Ray training leaves for the process that asked for it
MAX_FAILURES = 3  # of a whole group of ranks; each new group resumes from the last checkpoint


def train(corpus: CorpusStore, config: TrainConfig) -> dict[str, Any]:
    """Train a run to its last step, from its checkpoint on if it has one; returns figures.

    Raises:
        ConfigError: the corpus or the config cannot be trained; raised before the first step.
    """
    if config.ranks > 1:
        return _train_with_ray(corpus, config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _train_rank(corpus, config, Ranks(device=device))


def _train_rank(corpus: CorpusStore, config: TrainConfig, ranks: Ranks) -> dict[str, Any]:
    with torch_threads(config.threads, sharing=ranks.count):
        return Trainer(corpus, config, ranks).run()


def _train_with_ray(corpus: CorpusStore, config: TrainConfig) -> dict[str, Any]:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from pipeline.executors.cluster import cluster

    if config.batch_size < config.ranks:
        raise ConfigError(f"a batch of {config.batch_size} cannot be divided among {config.ranks} ranks")
    outcome = ("runs", config.run, OUTCOME)
    if corpus.exists(*outcome):
        corpus.remove(*outcome)
    with cluster():
        use_gpu = ray.cluster_resources().get("GPU", 0) >= config.ranks
        logger.info("%d ranks on %s", config.ranks, "GPUs, nccl" if use_gpu else "CPUs, gloo")
        trainer = TorchTrainer(
            _ray_rank,
            train_loop_config={"corpus": corpus.uri, "config": config.model_dump(mode="json")},
            torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
            scaling_config=ScalingConfig(num_workers=config.ranks, use_gpu=use_gpu),
            run_config=RunConfig(
                name=config.run,
                # where Ray keeps its own state; every node must reach it, and every node reaches the corpus
                storage_path=corpus.path("runs", ".ray"),
                storage_filesystem=corpus.arrow_filesystem(),
                failure_config=FailureConfig(max_failures=MAX_FAILURES),
            ),
        )
        trainer.fit()
    result = corpus.read_json(*outcome)
    if "config_error" in result:
        raise ConfigError(result["config_error"])
    figures: dict[str, Any] = result["figures"]
    return figures


def _ray_rank(values: dict[str, Any]) -> None:
    """One rank, in a worker process of Ray Train. A ConfigError ends all ranks at once and is not retried."""
    import ray.train
    from ray.train.torch import get_device

    context = ray.train.get_context()
    corpus, config = CorpusStore(values["corpus"]), TrainConfig.model_validate(values["config"])
    ranks = Ranks(context.get_world_rank(), context.get_world_size(), get_device())
    try:
        result: dict[str, Any] = {"figures": _train_rank(corpus, config, ranks)}
    except ConfigError as error:
        result = {"config_error": str(error)}
    if ranks.rank == 0:
        corpus.write_json(result, "runs", config.run, OUTCOME)
