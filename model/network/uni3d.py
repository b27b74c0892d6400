"""Loads Uni3D's published checkpoints (`model.pt` of sizes ti, s, b, l, g) into our model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model.network.encoder import ClipGS
from pipeline.base.errors import ConfigError

# Parts of timm's image model that Uni3D stores and never uses.
UNUSED_PREFIXES = tuple(
    f"point_encoder.visual.{part}" for part in ("cls_token", "pos_embed", "patch_embed.", "head.", "rope.")
)


@dataclass(frozen=True)
class LoadReport:
    """The outcome for every key of a checkpoint and of the model."""

    loaded: tuple[str, ...]
    missing: tuple[str, ...]  # of the model, not in the checkpoint: keep their first values
    unused: tuple[str, ...]  # of the checkpoint: image stem, positions and head, which Uni3D does not use either
    unexpected: tuple[str, ...]  # of the checkpoint, unknown to this model
    mismatched: tuple[str, ...]  # in both, of different shapes: keep their first values

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} loaded"]
        for name in ("missing", "mismatched", "unexpected", "unused"):
            keys = getattr(self, name)
            if keys:
                parts.append(f"{len(keys)} {name} ({', '.join(_summary(keys))})")
        return "; ".join(parts)


def load_uni3d(model: ClipGS, file: Path) -> LoadReport:
    """Copy the weights of a Uni3D checkpoint into `model`, which is of the same size.

    Raises:
        ConfigError: no such file, not a checkpoint of Uni3D, or one of another size.
    """
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"cannot read Uni3D checkpoint {file}: {error.strerror}") from error
    except Exception as error:  # torch.load raises many types for a file that is no checkpoint
        raise ConfigError(f"{file} is not a checkpoint that torch can load safely: {error}") from error
    if not isinstance(checkpoint, Mapping) or not isinstance(checkpoint.get("module"), Mapping):
        raise ConfigError(f"{file} is not a Uni3D checkpoint: it has no 'module'")
    return load_state(model, checkpoint["module"], str(file))


def load_state(model: ClipGS, state: Mapping[str, Any], source: str) -> LoadReport:
    """Copy a Uni3D state dict (any float type, keys with or without `module.`) into `model`.

    Raises:
        ConfigError: the transformer's shapes differ: the checkpoint is of another size.
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
    own = model.state_dict()
    unused = {key for key in state if key.startswith(UNUSED_PREFIXES)}
    shared = [key for key in own if key in state]
    mismatched = [key for key in shared if own[key].shape != state[key].shape]
    report = LoadReport(
        loaded=tuple(key for key in shared if key not in mismatched),
        missing=tuple(key for key in own if key not in state),
        unused=tuple(sorted(unused)),
        unexpected=tuple(sorted(state.keys() - own.keys() - unused)),
        mismatched=tuple(mismatched),
    )
    if not report.loaded or any(".visual." in key for key in (*report.mismatched, *report.missing)):
        raise ConfigError(f"{source} does not fit model {model.config.name}; is it a different size? {report}")
    with torch.no_grad():
        for key in report.loaded:
            own[key].copy_(state[key])  # casts: published checkpoints are fp16
    return report


def _summary(keys: tuple[str, ...]) -> list[str]:
    """The keys' parents, each once, with the number of its keys."""
    parents: dict[str, int] = {}
    for key in keys:
        parent = ".".join(key.split(".")[:3])
        parents[parent] = parents.get(parent, 0) + 1
    return [parent if count == 1 else f"{parent} x{count}" for parent, count in parents.items()]
