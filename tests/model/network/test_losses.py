"""Both losses against plain loops over pairs in float64, on one rank and on two real processes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.functional import normalize

from model.network.losses import image_voting_loss, text_loss

N, K, D, INPUTS = 6, 5, 8, 10
SCALE = 7.0


def loop_contrast(left: np.ndarray, right: np.ndarray) -> list[float]:
    """Both directions of InfoNCE, pair by pair."""
    values = []
    for i in range(len(left)):
        own = SCALE * float(left[i] @ right[i])
        forward = sum(math.exp(SCALE * float(left[i] @ right[j])) for j in range(len(left)))
        backward = sum(math.exp(SCALE * float(right[i] @ left[j])) for j in range(len(left)))
        values.append((math.log(forward) - own) + (math.log(backward) - own))
    return values


def loop_text_loss(features, texts) -> float:
    return sum(loop_contrast(features, texts)) / (2 * len(features))


def loop_image_loss(features, images, weights) -> float:
    total = 0.0
    for k in range(images.shape[1]):
        contrasts = loop_contrast(features, images[:, k])
        total += sum(max(weights[n, k], 0) * contrasts[n] for n in range(len(features)))
    return total / (2 * len(features))


def make_data(dtype=torch.float64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    random = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    data = {
        "inputs": random(N, INPUTS),
        "weight": random(INPUTS, D),
        "texts": normalize(random(N, D), dim=-1),
        "images": normalize(random(N, K, D), dim=-1),
        "weights": 0.3 * random(N, K),
    }
    return {name: value.to(dtype) for name, value in data.items()}


def both_losses(data, part=slice(None)):
    features = normalize(data["inputs"][part] @ data["weight"], dim=-1)
    scale = torch.tensor(SCALE, dtype=features.dtype)
    text = text_loss(features, data["texts"][part], scale)
    return text, image_voting_loss(features, data["images"][part], data["weights"][part], scale)


def test_losses_against_loops():
    data = make_data()
    assert (data["weights"] < 0).any()
    text, image = both_losses(data)
    features = normalize(data["inputs"] @ data["weight"], dim=-1).numpy()
    texts, images, weights = (data[name].numpy() for name in ("texts", "images", "weights"))
    assert text.item() == pytest.approx(loop_text_loss(features, texts), rel=1e-12)
    assert image.item() == pytest.approx(loop_image_loss(features, images, weights), rel=1e-12)


def test_losses_in_float32():
    data = make_data(torch.float32)
    exact = both_losses(make_data())
    for value, reference in zip(both_losses(data), exact, strict=True):
        assert value.item() == pytest.approx(reference.item(), rel=1e-5)


def test_gradient_against_differences():
    data = make_data()
    weight = data["weight"].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: both_losses({**data, "weight": w}), weight)


def _rank(rank: int, ranks: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=ranks)
    data = make_data()
    data["weight"].requires_grad_()
    size = N // ranks
    text, image = both_losses(data, slice(rank * size, (rank + 1) * size))
    (text + image).backward()
    gradient = data["weight"].grad
    dist.all_reduce(gradient)  # as DistributedDataParallel: the mean over ranks
    torch.save({"losses": [text.item(), image.item()], "gradient": gradient / ranks}, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_have_the_loss_and_gradient_of_one(tmp_path):
    data = make_data()
    data["weight"].requires_grad_()
    expected = both_losses(data)
    sum(expected).backward()
    mp.spawn(_rank, (2, str(tmp_path)), nprocs=2)
    for rank in range(2):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert result["losses"] == pytest.approx([value.item() for value in expected], rel=1e-12)
        torch.testing.assert_close(result["gradient"], data["weight"].grad, rtol=1e-10, atol=1e-12)
