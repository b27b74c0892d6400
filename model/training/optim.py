"""AdamW's parameter groups (weight decay, layer decay) and the learning rate's schedule."""

import math
import re

import torch
from torch import nn

from model.config import TrainConfig
from model.network.encoder import ClipGS


def make_optimizer(model: ClipGS, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW; each group keeps its own first learning rate under `base_lr`."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    depth = len(model.point_encoder.visual.blocks)
    for name, parameter in model.named_parameters():
        decay = config.weight_decay if parameter.ndim > 1 and "cls_" not in name else 0.0
        rate = config.learning_rate * config.layer_decay ** layers_above(name, depth)
        groups.setdefault((decay, rate), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "base_lr": rate, "lr": rate}
            for (decay, rate), parameters in groups.items()
        ],
        betas=(0.9, 0.98),
        eps=1e-6,
    )


def layers_above(name: str, depth: int) -> int:
    """How many layers a parameter is from the end: 0 for the norms, the projection and the refinement block (which
    no checkpoint initialises), 1 for the last block, `depth + 1` for tokens and positions."""
    block = re.search(r"\.blocks\.(\d+)\.", name)
    if block:
        return depth - int(block.group(1))
    first = ("point_encoder.encoder", "point_encoder.pos_embed", "point_encoder.cls_")
    return depth + 1 if name.startswith(first) else 0


def rate_factor(step: int, config: TrainConfig) -> float:
    """Factor of the learning rate at `step` (from 0): linear warm-up, then half a cosine down to 0."""
    warmup = min(config.warmup_steps, config.steps // 2)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup)))
