"""The GS tokenizer (CLIP-GS, section 3): patches of Gaussians become tokens.

`tokens = Linear(PointEncoder([position; colour])) + GaussianRefinement(all attributes in three orders)`.
The point encoder is Uni3D's mini-PointNet with its names, so that its weights load.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from model.network.registry import ModelConfig
from pipeline.values.packed import COLORS, MEANS, OPACITY, QUATS, SCALES, WIDTH
from pipeline.values.quaternions import rotation_rows

Layers = tuple[nn.Conv1d, nn.BatchNorm1d, nn.ReLU, nn.Conv1d]  # of one pair of convolutions

REFINED_WIDTH = 19  # means 3, colors 3, opacity 1, scales 3, rotation 9


class PointEncoder(nn.Module):
    """Uni3D's mini-PointNet over one patch: two pairs of pointwise convolutions, a max after each."""

    def __init__(self, in_channels: int, channels: tuple[int, int, int, int]):
        super().__init__()
        first, local, second, out = channels
        self.first_conv = nn.Sequential(
            nn.Conv1d(in_channels, first, 1), nn.BatchNorm1d(first), nn.ReLU(), nn.Conv1d(first, local, 1)
        )
        self.second_conv = nn.Sequential(
            nn.Conv1d(2 * local, second, 1), nn.BatchNorm1d(second), nn.ReLU(), nn.Conv1d(second, out, 1)
        )

    def forward(self, patches_BGSC: Tensor) -> Tensor:
        """[B, G, S, in_channels] to [B, G, out]."""
        B, G, S, _ = patches_BGSC.shape
        conv, norm, relu, out = cast(Layers, tuple(self.first_conv))
        hidden = relu(norm(_pointwise(patches_BGSC.flatten(0, 2), conv)))  # [BGS, first]
        local: Tensor = _pointwise(hidden, out).unflatten(0, (B * G, S))  # [BG, S, local]
        patch = local.amax(dim=1, keepdim=True)  # [BG, 1, local]
        conv, norm, relu, out = cast(Layers, tuple(self.second_conv))
        # conv([patch; local]) in two parts: the patch's is computed once, not S times
        of_patch, of_local = conv.weight[..., 0].chunk(2, dim=1)
        mixed = linear(local, of_local, conv.bias) + linear(patch, of_patch)
        hidden = relu(norm(mixed.flatten(0, 1)))
        points: Tensor = _pointwise(hidden, out).unflatten(0, (B, G, S))
        return points.amax(dim=2)


def _pointwise(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """A 1x1 convolution over the rows of x [M, C]: a matrix product is faster than the convolution's kernel."""
    return linear(x, conv.weight[..., 0], conv.bias)


class GaussianRefinement(nn.Module):
    """The GS refinement block: four 1x3 convolutions (strides 1, 1, 2, 2) along a patch, then global pooling."""

    def __init__(self, config: ModelConfig, width: int):
        super().__init__()
        self.fusion = config.order_fusion
        self.pooling = config.pooling
        in_channels = REFINED_WIDTH * (len(config.orders) if self.fusion == "channels" else 1)
        widths = (in_channels, *config.refinement_channels, width)
        layers: list[nn.Module] = []
        for c_in, c_out, stride in zip(widths, widths[1:], (1, 1, 2, 2), strict=False):
            # no bias: the batch norm that follows has one
            norm = nn.BatchNorm1d(c_out)
            layers += [nn.Conv1d(c_in, c_out, 3, stride, padding=1, bias=False), norm, nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        nn.init.constant_(norm.weight, config.refinement_gain)  # of the last

    def forward(self, attributes_BGSC: Tensor, orders_BOGS: Tensor) -> Tensor:
        """[B, G, S, 19] and the orders [B, O, G, S] to [B, G, width]."""
        B, O, G, S = orders_BOGS.shape
        index = orders_BOGS[..., None].expand(-1, -1, -1, -1, REFINED_WIDTH)
        sequences = attributes_BGSC[:, None].expand(-1, O, -1, -1, -1).gather(3, index)  # [B, O, G, S, 19]
        if self.fusion == "channels":
            sequences = sequences.permute(0, 2, 1, 4, 3).reshape(B * G, O * REFINED_WIDTH, S)
        else:
            sequences = sequences.reshape(B * O * G, S, REFINED_WIDTH).mT
        features: Tensor = self.layers(sequences)
        pooled = features.amax(dim=2) if self.pooling == "max" else features.mean(dim=2)
        if self.fusion == "channels":
            return pooled.reshape(B, G, -1)
        return pooled.reshape(B, O, G, -1).mean(dim=1)


def refined_attributes(patches: Tensor) -> Tensor:
    """The 19 inputs of the refinement block, [..., 19], of Gaussians [..., 14].

    The paper takes the sigmoid of a 3DGS file's raw opacity and scale. Ours are post-activation, raw opacity is
    `logit(o)` and raw scale `log(s)`, so the sigmoids are `o` itself and `s / (1 + s)`.
    """
    scales = patches[..., SCALES]
    rotation = rotation_matrices(patches[..., QUATS]).flatten(-2)
    return torch.cat(
        [patches[..., MEANS], patches[..., COLORS], patches[..., OPACITY], scales / (1 + scales), rotation], dim=-1
    )


def raw_attributes(patches: Tensor) -> Tensor:
    """Gaussians [..., 14] as a 3DGS file has them: logit opacity, log scale; for the naive baseline."""
    opacity = torch.logit(patches[..., OPACITY], eps=1e-6)
    scales = patches[..., SCALES].clamp(min=1e-8).log()
    return torch.cat([patches[..., MEANS], patches[..., COLORS], opacity, scales, patches[..., QUATS]], dim=-1)


def rotation_matrices(quats: Tensor) -> Tensor:
    """[..., 4] wxyz unit quaternions to [..., 3, 3] rotation matrices."""
    entries = [entry for row in rotation_rows(*quats.unbind(-1)) for entry in row]
    return torch.stack(entries, dim=-1).reshape(*quats.shape[:-1], 3, 3)


def point_inputs(config: ModelConfig) -> int:
    """Channels that the point encoder reads: 6, or all 14 in the naive baseline."""
    return WIDTH if config.tokenizer == "attributes" else 6
