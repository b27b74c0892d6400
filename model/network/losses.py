"""The two contrastive losses of CLIP-GS (section 3.3): text InfoNCE and image voting, over all ranks.

Every rank computes the loss of the whole global batch from gathered features. The gather's backward sums the ranks'
gradients, so after the mean over ranks that DistributedDataParallel takes, parameters get exactly the gradient of one
process with the whole batch.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn.functional import cross_entropy


def contrast(left_ND: Tensor, right_ND: Tensor, logit_scale: Tensor) -> Tensor:
    """Both directions of InfoNCE for each of N pairs, [N].

    `-log softmax_j(s l_i·r_j)[i] - log softmax_j(s r_i·l_j)[i]`; features are unit vectors, s the inverse temperature.
    """
    logits = logit_scale * left_ND @ right_ND.T
    target = torch.arange(len(logits), device=logits.device)
    return cross_entropy(logits, target, reduction="none") + cross_entropy(logits.T, target, reduction="none")


def text_loss(features_BD: Tensor, texts_BD: Tensor, logit_scale: Tensor) -> Tensor:
    """L_text, the symmetric InfoNCE of splats and captions: `1/2N Σ_n contrast_n`.

    Args:
        features_BD, texts_BD: unit vectors of this rank's objects.
    """
    return contrast(gather(features_BD), gather(texts_BD), logit_scale).mean() / 2


def image_voting_loss(features_BD: Tensor, images_BKD: Tensor, weights_BK: Tensor, logit_scale: Tensor) -> Tensor:
    """L_img, the image voting loss: `1/2N Σ_k Σ_n S_nk contrast(G, I_k)_n`.

    View k of every object forms one contrastive batch; the vote of a view weighs as much as the frozen encoder finds
    it to agree with the caption. S is the plain cosine, as in the paper's equation; a negative one would push an
    object away from its own view and counts as zero.

    Args:
        features_BD: unit vectors of this rank's objects.
        images_BKD: unit vectors of K views of each.
        weights_BK: S, the cosine of each view and the object's caption.
    """
    features, images = gather(features_BD), gather(images_BKD)
    weights = gather(weights_BK).clamp(min=0)
    votes = [(weights[:, k] * contrast(features, images[:, k], logit_scale)).mean() / 2 for k in range(images.shape[1])]
    return torch.stack(votes).sum()


def gather(tensor: Tensor) -> Tensor:
    """[B, …] of every rank as one [ranks * B, …], in rank order, with gradient; all ranks have the same B."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return tensor
    gathered: Tensor = _Gather.apply(tensor)  # type: ignore[no-untyped-call]  # torch gives `apply` no types
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
