"""The transformer over a splat's patches, and CLIP-GS around it. Names follow Uni3D's, so that its weights load."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.network.registry import ModelConfig
from model.network.tokenizer import GaussianRefinement, PointEncoder, point_inputs, raw_attributes, refined_attributes
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.values.packed import COLORS, MEANS

MAX_LOGIT_SCALE = math.log(100)  # temperature >= 0.01, as CLIP


@dataclass
class PatchBatch:
    """`model.data.patches.Patches` of B objects as tensors."""

    gaussians: Tensor  # [B, G, S, 14], means relative to their patch's centre
    centers: Tensor  # [B, G, 3]
    orders: Tensor  # [B, O, G, S]

    def __getitem__(self, part: slice) -> "PatchBatch":
        return PatchBatch(self.gaussians[part], self.centers[part], self.orders[part])

    def to(self, device: torch.device) -> "PatchBatch":
        """The same batch on another device."""
        tensors = (self.gaussians, self.centers, self.orders)
        return PatchBatch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


class ClipGS(nn.Module):
    """3D Gaussian splats to the embedding space of the frozen image and text encoder."""

    def __init__(self, config: ModelConfig, drop_path: float = 0.0, patch_dropout: float = 0.0):
        super().__init__()
        self.config = config
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.point_encoder = GaussianEncoder(config, drop_path, patch_dropout)

    def forward(self, patches: PatchBatch) -> tuple[Tensor, Tensor]:
        """Unit features [B, D] and the factor (inverse temperature, at most 100) for their cosines."""
        features = nn.functional.normalize(self.point_encoder(patches).float(), dim=-1)
        return features, self.logit_scale.clamp(0, MAX_LOGIT_SCALE).exp()


class GaussianEncoder(nn.Module):
    """Tokenizer, CLS token, positions from the patch centres, EVA blocks without rotary embedding, projection."""

    def __init__(self, config: ModelConfig, drop_path: float, patch_dropout: float):
        super().__init__()
        self.tokenizer = config.tokenizer
        self.visual = EvaBlocks(config, drop_path)
        width = self.visual.width
        self.encoder = PointEncoder(point_inputs(config), config.point_channels)
        self.encoder2trans = nn.Linear(config.point_channels[-1], width)
        if self.tokenizer == "gs":
            self.gs_refinement = GaussianRefinement(config, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.cls_pos = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width))
        self.patch_dropout = patch_dropout
        self.trans2embed = nn.Linear(width, config.embed_dim)

    def forward(self, patches: PatchBatch) -> Tensor:
        """Features [B, D], not normalised."""
        x = self.tokens(patches) + self.pos_embed(patches.centers)  # [B, G, width]
        x = self._drop_patches(x)
        cls = (self.cls_token + self.cls_pos).expand(len(x), -1, -1)
        features: Tensor = self.trans2embed(self.visual(torch.cat([cls, x], dim=1)))
        return features

    def tokens(self, patches: PatchBatch) -> Tensor:
        """One token per patch, [B, G, width]."""
        gaussians = patches.gaussians
        if self.tokenizer == "attributes":
            points = raw_attributes(gaussians)
        else:
            points = torch.cat([gaussians[..., MEANS], gaussians[..., COLORS]], dim=-1)
        tokens: Tensor = self.encoder2trans(self.encoder(points))
        if self.tokenizer == "gs":
            tokens = tokens + self.gs_refinement(refined_attributes(gaussians), patches.orders)
        return tokens

    def _drop_patches(self, x_BGC: Tensor) -> Tensor:
        """A random part of the tokens in training; all of them otherwise (Uni3D's own code drops in both)."""
        if not self.training or self.patch_dropout == 0:
            return x_BGC
        B, G, C = x_BGC.shape
        keep = max(1, int(G * (1 - self.patch_dropout)))
        kept = torch.rand(B, G, device=x_BGC.device).topk(keep, dim=1).indices
        return x_BGC.gather(1, kept[..., None].expand(-1, -1, C))


class EvaBlocks(nn.Module):
    """Blocks and norms of one of timm's EVA models, without its image stem, positions, rotary embedding and head."""

    def __init__(self, config: ModelConfig, drop_path: float):
        super().__init__()
        prepare_torchvision()
        import timm  # after prepare_torchvision: timm imports torchvision

        # use_rot_pos_emb: Uni3D calls the blocks without rotary positions; patches of a surface have no grid.
        options = {"num_classes": 0, "use_rot_pos_emb": False, "drop_path_rate": drop_path, **config.timm_overrides}
        eva: Any = timm.create_model(config.timm_model, pretrained=False, **options)
        self.width: int = eva.embed_dim
        self.blocks: nn.ModuleList = eva.blocks
        self.norm: nn.Module = eva.norm
        self.fc_norm: nn.Module = eva.fc_norm

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, 1 + G, width] to the normalised CLS token [B, width]."""
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.fc_norm(self.norm(x[:, 0]))
        return normed
