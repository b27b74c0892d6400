"""Config of the train and evaluate stages."""

from typing import Literal

from pipeline.settings import Section, runtime


class AugmentConfig(Section):
    """Random changes of a training splat, in the model's frame (y up, unit sphere). Defaults: Uni3D's."""

    scale: tuple[float, float] = (0.8, 1.25)
    """Range of a uniform factor."""
    shift: float = 0.1
    """Bound of a uniform shift along each axis."""
    yaw: bool = True
    """Turn by any angle about the vertical."""
    tilt: float = 0.06
    """Standard deviation (radians) of small turns about all axes."""
    max_tilt: float = 0.18
    """Bound of those turns (radians)."""
    color_drop: float = 0.0
    """Share of objects whose colours are replaced by grey (Uni3D: 0.5, because its test sets lack colours; splats
    never do)."""


class TrainConfig(Section):
    """How CLIP-GS is trained from the packed triplets."""

    model: str = "tiny"
    """Name of a model in model/configs/, or the path of a JSON file."""
    tokenizer: Literal["", "points", "attributes", "gs"] = ""
    """Another tokenizer than the model's own, for ablations."""
    run: str = "default"
    """Name of the run; checkpoints and metrics go to runs/RUN."""
    init: str = ""
    """Start from these weights: a Uni3D checkpoint (.pt) or a folder that save_pretrained wrote."""
    steps: int = 1000
    batch_size: int = 32
    """Objects per step, over all ranks; all of them where the corpus has fewer."""
    accumulate: int = 1
    """Micro-batches per step; each is contrasted within itself."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    layer_decay: float = 1.0
    """Learning rate's factor per block from the last to the first (Uni3D fine-tunes with 0.95)."""
    warmup_steps: int = 50
    clip_gradient: float = 5.0
    """Bound of the gradient's norm."""
    drop_path: float = 0.0
    patch_dropout: float = 0.0
    """Share of patches left out in training (Uni3D: 0.5)."""
    ema_decay: float = 0.0
    """Decay of the averaged weights that are saved and evaluated; 0: the last weights."""
    image_weight: float = 1.0
    """Weight of the image loss beside the text loss; 0: text alone."""
    voting_views: int = 5
    """K, the views that vote for each object (paper: 5)."""
    voting_weights: Literal["similarity", "uniform"] = "similarity"
    """similarity: S_i, the frozen encoder's cosine of view and caption, as in the paper; uniform: 1/K (with one view:
    plain image contrast)."""
    augment: AugmentConfig = AugmentConfig()
    precision: Literal["float32", "bf16"] = "float32"
    patience: int = 0
    """Stop after so many validations without a lower loss, and leave the weights of the best; 0: never."""
    validate_every: int = 0
    """Steps between validations on the val split; 0: none (needed for patience)."""
    seed: int = 0
    checkpoint_every: int = runtime(100)
    log_every: int = runtime(10)
    tensorboard: bool = runtime(True)
    ranks: int = runtime(1)
    """Training processes; more than one: Ray Train starts them. The batch is divided among them."""
    threads: int = runtime(0)
    """CPU threads for training; 0: all."""
    workers: int = runtime(2)
    """Threads that cut splats into patches ahead of the training step."""


class EvaluateConfig(Section):
    """What is measured on a trained model."""

    run: str = "default"
    splits: tuple[str, ...] = ("train", "val", "heldout")
    label: Literal["category", "name", "lvis_category"] = "category"
    """Column that holds an object's class."""
    zero_shot: bool = True
    """Classify by sentences; needs the encoder that made the embeddings."""
    classes: str = ""
    """Classes of zero-shot: a label set (modelnet40, scanobjectnn) or a JSON list; empty: the column's values."""
    few_shot: tuple[tuple[int, int], ...] = ()
    """(ways, shots) of few-shot episodes."""
    linear_probe: bool = False
    """Train a linear classifier on the frozen features of the train split."""
    batch_size: int = runtime(32)
    threads: int = runtime(0)
    """CPU threads; 0: all."""
