"""The training loop of one rank: steps, validation, checkpoints."""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.config import TrainConfig
from model.data.batches import TrainingBatch, training_batch
from model.data.split import LoadedSplit, load_split
from model.embed import embed_splats
from model.network.encoder import ClipGS
from model.network.losses import contrast, image_voting_loss, text_loss
from model.network.pretrained import save_pretrained
from model.network.registry import ModelConfig, load_model_config
from model.training.checkpoint import load_checkpoint, put_aside, save_checkpoint
from model.training.initialise import initialise
from model.training.optim import make_optimizer, rate_factor
from model.training.progress import TrainingProgress
from model.training.run_record import Metrics
from pipeline.base.errors import ConfigError
from pipeline.base.settings import content_hash
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.read_ahead import read_ahead

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Ranks:
    """This process' place among the processes of a training."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")


class Trainer:
    """One run on one rank. `run()` trains to the last step, from the run's checkpoint on if there is one.

    Raises:
        ConfigError: the corpus cannot feed the training (empty split, mixed encoders, too few Gaussians, NaN, …).
    """

    def __init__(self, corpus: CorpusStore, config: TrainConfig, ranks: Ranks):
        self.corpus, self.config, self.ranks = corpus, config, ranks
        model_config = load_model_config(config.model, **({"tokenizer": config.tokenizer} if config.tokenizer else {}))
        self.triplets = _together(ranks, lambda: load_training_split(corpus, config, model_config, ranks))
        _together(ranks, self._check_encoders)
        self.model_config = model_config.model_copy(update={"embed_dim": self.triplets.dim})
        self.batch_size = min(config.batch_size // ranks.count, self._fewest_objects())
        if self.batch_size // config.accumulate * ranks.count < 2:
            raise ConfigError(
                f"a batch of {self.batch_size * ranks.count} objects over {ranks.count} ranks and {config.accumulate} "
                "micro-batches: the contrastive loss needs at least two objects; raise --train.batch-size"
            )
        self.validation = _together(ranks, self._load_validation)
        torch.manual_seed(config.seed)
        self.model = ClipGS(self.model_config, config.drop_path, config.patch_dropout)
        if config.init:
            report = initialise(self.model, config.init)
            if ranks.rank == 0:
                print(f"train {config.run}: {config.init}: {report}", flush=True)
        self.model.to(ranks.device)
        self.optimizer = make_optimizer(self.model, config)
        self.average = None
        if config.ema_decay:
            self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
        self.best_loss, self.stale_validations, self.stopped_early = float("inf"), 0, False

    def run(self) -> dict[str, Any]:
        """Train; rank 0 writes the run's files. Returns figures."""
        first = self._resume()
        metrics = Metrics(self.corpus, self.config, first) if self.ranks.rank == 0 else None
        forward = DistributedDataParallel(self.model) if self.ranks.count > 1 else self.model
        progress = TrainingProgress(self.config.run, first, self.config.steps, self.batch_size * self.ranks.count)
        done, clock = first, _Clock()
        make_batch = partial(
            training_batch, self.triplets, self.model_config, self.config, self.batch_size, self.ranks.rank
        )
        steps = range(first, first if self.stopped_early else self.config.steps)
        for batch in read_ahead(make_batch, steps, self.config.workers, ahead=self.config.workers + 1):
            clock.lap("waiting")
            values = self._step(forward, batch, done, clock)
            done += 1
            if metrics:
                progress.step(done, values)
            if metrics and (done % self.config.log_every == 0 or done == self.config.steps):
                metrics.add(done, values)
            if metrics and done % self.config.checkpoint_every == 0 and done < self.config.steps:
                self._save(done)
                metrics.flush()
            self.stopped_early = self._validate(done, metrics)
            clock.lap("other")
            if self.stopped_early:
                logger.info("no lower loss in %d validations: stopped at step %d", self.config.patience, done)
                break
        if metrics:
            self._save(done)
            metrics.close()
            if not self._keeps_best():
                self._save_model()
        return self._figures(done, done - first, metrics, clock)

    def _step(self, forward: nn.Module, batch: TrainingBatch, step: int, clock: "_Clock") -> dict[str, float]:
        # Random numbers of a step (drop path, patch dropout) depend on the step alone, so a run can be resumed.
        torch.manual_seed(int(content_hash([self.config.seed, step, self.ranks.rank])[:15], 16))
        factor = rate_factor(step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        values: dict[str, float] = {}
        for part in batch.split(self.config.accumulate):
            part_values = self._losses(forward, part)
            (part_values["loss"] / self.config.accumulate).backward()
            for name, value in part_values.items():
                values[name] = values.get(name, 0.0) + float(value.detach()) / self.config.accumulate
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_gradient))
        clock.lap("encoder")
        if not math.isfinite(norm):
            raise ConfigError(f"run {self.config.run}: no finite gradient at step {step + 1}; lower the learning rate")
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return {**values, "gradient_norm": norm, "learning_rate": self.config.learning_rate * factor}

    def _losses(self, forward: nn.Module, batch: TrainingBatch) -> dict[str, Tensor]:
        batch = batch.to(self.ranks.device)
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            features, logit_scale = forward(batch.patches)
        values = {"logit_scale": logit_scale, "loss_text": text_loss(features, batch.texts, logit_scale)}
        loss = values["loss_text"]
        if self.config.image_weight:
            values["loss_image"] = image_voting_loss(features, batch.images, batch.weights, logit_scale)
            loss = loss + self.config.image_weight * values["loss_image"]
        return {"loss": loss, **values}

    def _validate(self, done: int, metrics: Metrics | None) -> bool:
        """Measure the val split where it is due; True on every rank if training should stop early."""
        if not self.config.validate_every or done % self.config.validate_every:
            return False
        stop = torch.zeros(1, device=self.ranks.device)
        if metrics and self.validation:
            loss = self._validation_loss(self.validation)
            metrics.add(done, {"loss_val_text": loss})
            self.stale_validations = 0 if loss < self.best_loss else self.stale_validations + 1
            self.best_loss = min(loss, self.best_loss)
            if self._keeps_best() and not self.stale_validations:
                self._save_model()
            stop += bool(self.config.patience and self.stale_validations >= self.config.patience)
        if self.ranks.count > 1:
            dist.broadcast(stop, 0)
        return bool(stop.item())

    @torch.no_grad()
    def _validation_loss(self, validation: LoadedSplit) -> float:
        features = embed_splats(self._final_model(), validation.gaussians, self.batch_size, self.config.workers)
        texts = torch.from_numpy(validation.texts)
        return float(contrast(torch.from_numpy(features), texts, self.model.logit_scale.exp().cpu()).mean() / 2)

    def _final_model(self) -> ClipGS:
        return self.model if self.average is None else cast(ClipGS, self.average.module)

    def _keeps_best(self) -> bool:
        """Whether the weights that the run leaves are those of the best validation, not the last."""
        return bool(self.config.patience and math.isfinite(self.best_loss))

    def _save_model(self) -> None:
        save_pretrained(self._final_model(), self.triplets.encoder, self.corpus, "runs", self.config.run)

    def _load_validation(self) -> LoadedSplit | None:
        if not self.config.validate_every or self.ranks.rank != 0:
            return None
        validation = load_split(self.corpus, "val", self.model_config.minimum_gaussians)
        if not len(validation):
            logger.warning("the val split is empty: training without validation")
            return None
        if validation.encoder != self.triplets.encoder:
            raise ConfigError(
                f"val was embedded by {validation.encoder}, train by {self.triplets.encoder}; embed again"
            )
        return validation

    def _check_encoders(self) -> None:
        """Within a rank the loader has checked it; this compares the ranks."""
        if self.ranks.count > 1:
            encoders: list[Any] = [None] * self.ranks.count
            dist.all_gather_object(encoders, self.triplets.encoder)
            if len(set(encoders)) > 1:
                raise ConfigError(
                    f"the train split holds embeddings of {', '.join(sorted(set(encoders)))}; embed again"
                )

    def _fewest_objects(self) -> int:
        fewest = torch.tensor(len(self.triplets), device=self.ranks.device)
        if self.ranks.count > 1:
            dist.all_reduce(fewest, dist.ReduceOp.MIN)
        return int(fewest)

    # Checkpoints

    def _resume(self) -> int:
        """Load the run's checkpoint; the step to resume from (0: from the start)."""
        state = None
        if self.ranks.rank == 0:
            state = load_checkpoint(self.corpus, self.config.run)
            if state is not None and state["fingerprint"] != self._fingerprint():
                put_aside(self.corpus, self.config.run, state["fingerprint"])
                state = None
        if self.ranks.count > 1:
            dist.barrier()  # the leader has decided; the others load what is there now
            state = state or load_checkpoint(self.corpus, self.config.run)
        if state is None:
            return 0
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.best_loss, self.stale_validations = state["best_loss"], state["stale_validations"]
        self.stopped_early = state["stopped_early"]
        logger.info("run %s resumes at step %d", self.config.run, state["step"])
        step: int = state["step"]
        return step

    def _save(self, step: int) -> None:
        state = {
            "fingerprint": self._fingerprint(),
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "best_loss": self.best_loss,
            "stale_validations": self.stale_validations,
            "stopped_early": self.stopped_early,
        }
        save_checkpoint(self.corpus, self.config.run, state)

    def _fingerprint(self) -> str:
        """Changes with whatever would make it a different run: config, model, objects, embeddings, ranks."""
        data = hashlib.sha256(self.triplets.texts.tobytes()).hexdigest()
        model = self.model_config.model_dump(mode="json")
        return content_hash([self.config.content(), model, self.triplets.uids, self.ranks.count, data])

    def _figures(self, done: int, steps: int, metrics: Metrics | None, clock: "_Clock") -> dict[str, Any]:
        total = sum(clock.seconds.values())
        figures: dict[str, Any] = {
            "steps": done,
            "train_objects": len(self.triplets) * self.ranks.count,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }
        if steps:
            figures["samples_per_second"] = steps * self.batch_size * self.ranks.count / total
            figures["encoder_share"] = clock.seconds["encoder"] / total
        if metrics:
            figures |= {f"final_{name}": value for name, value in metrics.last().items()}
        return figures


class _Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds = {"waiting": 0.0, "encoder": 0.0, "other": 0.0}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] += now - self._last
        self._last = now


def _together(ranks: Ranks, action: Callable[[], Result]) -> Result:
    """The result of `action`; a ConfigError of one rank is raised on all, so that none waits for another forever."""
    results, message = [], ""
    try:
        results.append(action())
    except ConfigError as error:
        message = str(error)
    if ranks.count > 1:
        messages: list[Any] = [None] * ranks.count
        dist.all_gather_object(messages, message)
        message = next(filter(None, messages), "")
    if message:
        raise ConfigError(message)
    return results[0]


def load_training_split(corpus: CorpusStore, config: TrainConfig, model: ModelConfig, ranks: Ranks) -> LoadedSplit:
    """This rank's part of the train split, checked.

    Raises:
        ConfigError: no objects, or objects that cannot be trained on.
    """
    triplets = load_split(corpus, "train", model.minimum_gaussians, config.voting_views, (ranks.rank, ranks.count))
    if len(triplets) < 2:
        raise ConfigError(
            f"the train split of {corpus.uri} has {len(triplets)} objects for rank {ranks.rank}, two are needed: "
            "run the pack stage, look at its quality gates (triplets/README.md), add assets"
        )
    return triplets
