"""Config of the train and evaluate stages."""

from typing import Literal

from pydantic import Field

from pipeline.base.settings import Section, runtime


class AugmentConfig(Section):
    """Random augmentation of training splats, in the model's frame (y up, unit sphere). Defaults: Uni3D's."""

    scale: tuple[float, float] = (0.8, 1.25)
    """Range of the uniform random scale."""
    shift: float = Field(0.1, ge=0)
    """Maximum random shift along each axis."""
    yaw: bool = True
    """Rotate by a random angle about the vertical axis."""
    tilt: float = Field(0.06, ge=0)
    """Standard deviation (radians) of small random rotations about all axes."""
    max_tilt: float = Field(0.18, ge=0)
    """Maximum of these rotations (radians)."""
    color_drop: float = Field(0.0, ge=0, le=1)
    """Fraction of objects whose colours are replaced by grey (Uni3D: 0.5, as its test sets lack colours; splats
    never do)."""


class TrainConfig(Section):
    """How CLIP-GS is trained from the packed triplets."""

    model: str = "tiny"
    """Name of a model in model/configs/, or the path of a JSON file."""
    tokenizer: Literal["", "points", "attributes", "gs"] = ""
    """Tokenizer to use instead of the model's own, for ablations."""
    run: str = "default"
    """Name of the run; checkpoints and metrics go to runs/RUN."""
    init: str = ""
    """Initial weights: a Uni3D checkpoint (.pt) or a folder written by save_pretrained."""
    steps: int = Field(1000, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(32, ge=2)
    """Objects per step over all ranks; the whole corpus if it is smaller."""
    accumulate: int = Field(1, ge=1)
    """Micro-batches per step; the contrastive loss is computed within each."""
    learning_rate: float = Field(1e-3, ge=0)
    weight_decay: float = Field(0.1, ge=0)
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Learning-rate decay per block, from the last to the first (Uni3D fine-tunes with 0.95)."""
    warmup_steps: int = Field(50, ge=0)
    clip_gradient: float = Field(5.0, gt=0)
    """Maximum norm of the gradient."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Rate of stochastic depth."""
    patch_dropout: float = Field(0.0, ge=0, lt=1)
    """Fraction of patches dropped in training (Uni3D: 0.5)."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the moving average of the weights, which is saved and evaluated; 0: the last weights."""
    image_weight: float = Field(1.0, ge=0)
    """Weight of the image loss relative to the text loss; 0: text only."""
    voting_views: int = Field(5, ge=1)
    """K, the views that vote for each object (paper: 5)."""
    voting_weights: Literal["similarity", "uniform"] = "similarity"
    """similarity: S_i, the frozen encoder's cosine of view and caption, as in the paper; uniform: 1/K (with one view, a
    plain image-contrastive loss)."""
    augment: AugmentConfig = AugmentConfig()
    precision: Literal["float32", "bf16"] = "float32"
    patience: int = Field(0, ge=0)
    """Stop after this many validations without a lower loss, and keep the weights of the best; 0: never."""
    validate_every: int = Field(0, ge=0)
    """Steps between validations on the val split; 0: none (needed for patience)."""
    seed: int = 0
    checkpoint_every: int = runtime(100, ge=1)
    """Steps between checkpoints."""
    log_every: int = runtime(10, ge=1)
    """Steps between lines of metrics."""
    tensorboard: bool = runtime(True)
    """Write metrics for TensorBoard too."""
    ranks: int = runtime(1, ge=1)
    """Training processes, which share the batch; more than one are started by Ray Train."""
    threads: int = runtime(0, ge=0)
    """CPU threads for training; 0: all."""
    workers: int = runtime(2, ge=1)
    """Threads that prepare patches ahead of the training step."""


class EvaluateConfig(Section):
    """How a trained model is evaluated."""

    run: str = "default"
    """Name of the run to evaluate."""
    splits: tuple[str, ...] = ("train", "val", "heldout")
    """Splits to evaluate on."""
    label: Literal["category", "name", "lvis_category"] = "category"
    """Column used as the class of an object."""
    zero_shot: bool = True
    """Zero-shot classification; needs the encoder that made the embeddings."""
    classes: str = ""
    """Zero-shot classes: a label set (modelnet40, scanobjectnn) or a JSON list; empty: the values of `label`."""
    few_shot: tuple[tuple[int, int], ...] = ()
    """Few-shot episodes, as pairs of ways and shots."""
    linear_probe: bool = False
    """Train a linear classifier on frozen features of the train split."""
    batch_size: int = runtime(32, ge=1)
    """Objects encoded together."""
    threads: int = runtime(0, ge=0)
    """CPU threads; 0: all."""
