"""Config of the train and evaluate stages."""

from pipeline.settings import Section, runtime


class TrainConfig(Section):
    """How CLIP-GS is trained from the packed triplets."""

    model: str = "tiny"
    """Name of a model in model/configs/."""
    run: str = "default"
    """Name of the run; checkpoints and metrics go to runs/RUN."""
    steps: int = 1000
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup_steps: int = 50
    image_weight: float = 1.0
    """Weight of the image voting loss beside the text loss."""
    voting_views: int = 5
    """K, the views that vote for each object (paper: 5)."""
    seed: int = 0
    checkpoint_every: int = runtime(100)
    threads: int = runtime(0)
    """CPU threads for training; 0: all."""


class EvaluateConfig(Section):
    """What is measured on a trained model."""

    run: str = "default"
    splits: tuple[str, ...] = ("train", "val", "heldout")
