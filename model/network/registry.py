"""Models are data: one JSON file per size in model/configs/."""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pipeline.base.errors import ConfigError
from pipeline.base.settings import Section

Order = Literal["xyz", "hilbert", "morton"]


class ModelConfig(Section):
    """Everything that decides the shape of a model. Where the paper is silent, the choice is a field here."""

    name: str
    timm_model: str
    """The EVA model of timm whose blocks form the transformer."""
    timm_overrides: dict[str, Any] = {}
    """Keyword arguments that change it (embed_dim, depth, num_heads)."""
    embed_dim: int = 1024
    """Width of the shared embedding space; training sets it to that of the corpus's encoder."""
    num_gaussians: int = 10_000
    """Gaussians drawn from each splat (Uni3D: 10,000 points)."""
    groups: int = 512
    """Patches per object, G."""
    group_size: int = 64
    """Gaussians per patch, S."""
    tokenizer: Literal["points", "attributes", "gs"] = "gs"
    """points: Uni3D's point encoder on [position, colour]; attributes: the same encoder on all 14 raw numbers (the
    paper's naive baseline); gs: the GS tokenizer, points plus the refinement block."""
    point_channels: tuple[int, int, int, int] = (128, 256, 512, 512)
    """Widths of the mini-PointNet: two of its first, two of its second convolution pair."""
    orders: tuple[Order, ...] = ("xyz", "hilbert", "morton")
    """Orders in which the refinement block reads a patch."""
    order_fusion: Literal["mean", "channels"] = "mean"
    """mean: every order passes through the same convolutions, the pooled results are averaged; channels: the orders
    are stacked as input channels."""
    refinement_channels: tuple[int, int, int] = (64, 128, 256)
    """Widths of the first three 1x3 convolutions; the fourth has the transformer's."""
    pooling: Literal["max", "mean"] = "max"
    """Global pooling at the end of the refinement block."""
    refinement_gain: float = 0.1
    """First value of the last batch norm's weight: tokens start near those of the point encoder alone."""

    @property
    def minimum_gaussians(self) -> int:
        """The fewest Gaussians that can be cut into patches."""
        return max(self.groups, self.group_size)


def model_names() -> list[str]:
    """Names of all models that come with the project."""
    return sorted(entry.name.removesuffix(".json") for entry in files("model").joinpath("configs").iterdir())


def load_model_config(name: str, **changes: Any) -> ModelConfig:
    """The model `name` (one of `model_names`, or the path of a JSON file of one's own), with some fields changed.

    Raises:
        ConfigError: no such model, or a field that a model cannot have.
    """
    if name.endswith(".json"):
        file: Path | Traversable = Path(name)
    elif name in model_names():
        file = files("model").joinpath("configs", f"{name}.json")
    else:
        raise ConfigError(f"no model {name!r}; there are: {', '.join(model_names())}, or name a .json file")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read model {name}: {error}") from error
    return parse_model_config({"name": Path(name).stem, **values, **changes})


def parse_model_config(values: dict[str, Any]) -> ModelConfig:
    """A model from JSON values.

    Raises:
        ConfigError: an unknown field or a value of the wrong type.
    """
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"model {values.get('name')}: {first['loc'][0]}: {first['msg']}") from error
