"""Speed of training: ours, beside a plain re-creation of Uni3D's data path with the same model.

    python -m benchmarks.training

The plain path loads one .npy file per object in the step's own thread and finds patches inside the step in plain torch:
a loop over farthest points for the batch, then all distances and `topk`. Ours draws from memory-mapped arrays and cuts
patches ahead of the step (NumPy and a k-d tree, in threads). Objects are random splats; the model does not matter to
either path. Writes benchmarks/results/training.json.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import tyro
from torch import Tensor

from benchmarks.record import record
from model.config import AugmentConfig, TrainConfig
from model.data.augment import augment
from model.data.frame import to_model_frame
from model.data.orders import patch_orders
from model.data.patches import farthest_points, nearest_neighbours
from model.network.encoder import ClipGS, PatchBatch
from model.network.losses import image_voting_loss, text_loss
from model.network.registry import ModelConfig, load_model_config
from model.training.train import train
from pipeline import Corpus
from pipeline.store.schema import triplets_schema

DIM, VIEWS = 384, 24


@dataclass(frozen=True)
class Arguments:
    """Measure training samples per second, and the time of one object's patches."""

    model: str = "tiny"
    objects: int = 64
    gaussians: int = 20_000
    batch_size: int = 32
    steps: int = 12
    threads: int = 0
    """CPU threads of torch; 0: all."""


def main(arguments: Arguments) -> None:
    """Measure and record."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        splats = [random_splat(rng, arguments.gaussians) for _ in range(arguments.objects)]
        write_corpus(Corpus(folder / "corpus"), splats, rng)
        for i, splat in enumerate(splats):
            np.save(folder / f"{i}.npy", splat)
        ours = our_training(folder, arguments)
        plain = plain_training(folder, arguments)
    figures = {
        "samples_per_second": ours["samples_per_second"],
        "samples_per_second_plain": plain,
        "speedup": ours["samples_per_second"] / plain,
        "encoder_share": ours["encoder_share"],
        **patch_times(splats[0], 10_000, load_model_config("b")),
    }
    for key, value in figures.items():
        print(f"{key}: {value:.3g}")
    record("training", figures, notes=f"{arguments}. " + " ".join(__doc__.partition("\n\n")[2].split()))


def our_training(folder: Path, arguments: Arguments) -> dict[str, float]:
    """Figures of the train stage."""
    config = TrainConfig(
        model=arguments.model, steps=arguments.steps, batch_size=arguments.batch_size, tensorboard=False,
        threads=arguments.threads, log_every=arguments.steps,
    )  # fmt: skip
    return train(Corpus(folder / "corpus"), config)


def plain_training(folder: Path, arguments: Arguments) -> float:
    """Samples per second of the same model and losses behind the plain data path."""
    config = load_model_config(arguments.model, embed_dim=DIM)
    model = ClipGS(config)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    for _ in range(arguments.steps):
        chosen = rng.permutation(arguments.objects)[: arguments.batch_size]
        splats = [np.load(folder / f"{i}.npy") for i in chosen]
        drawn = [splat[rng.permutation(len(splat))[: config.num_gaussians]] for splat in splats]
        changed = [augment(to_model_frame(splat), AugmentConfig(), rng) for splat in drawn]
        features, scale = model(plain_patches(torch.from_numpy(np.stack(changed)), config))
        texts = torch.nn.functional.normalize(torch.randn(len(chosen), DIM), dim=-1)
        loss = text_loss(features, texts, scale)
        loss = loss + image_voting_loss(features, texts[:, None].expand(-1, 5, -1), torch.ones(len(chosen), 5), scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return arguments.steps * arguments.batch_size / (time.perf_counter() - started)


def plain_patches(gaussians: Tensor, config: ModelConfig) -> PatchBatch:
    """Patches of a batch [B, N, 14] in plain torch."""
    points = gaussians[..., :3]
    rows = torch.arange(len(points))
    nearest = torch.full(points.shape[:2], torch.inf)
    last = torch.zeros(len(points), dtype=torch.long)
    picked = []
    for _ in range(config.groups):
        picked.append(last)
        nearest = torch.minimum(nearest, ((points - points[rows, last][:, None]) ** 2).sum(-1))
        last = nearest.argmax(dim=1)
    centers = points[rows[:, None], torch.stack(picked, dim=1)]  # [B, G, 3]
    neighbours = torch.cdist(centers, points).topk(config.group_size, largest=False).indices  # [B, G, S]
    patches = gaussians[rows[:, None, None], neighbours].clone()
    patches[..., :3] -= centers[:, :, None]
    orders = np.zeros((len(patches), 0, config.groups, config.group_size), np.int64)
    if config.orders:
        orders = np.stack([patch_orders(patch[..., :3].numpy(), config.orders) for patch in patches])
    return PatchBatch(patches, centers, torch.from_numpy(orders))


def patch_times(splat: np.ndarray, count: int, config: ModelConfig) -> dict[str, float]:
    """CPU milliseconds for the patches of one object of `count` Gaussians, without orders: ours and plain."""
    points = np.ascontiguousarray(splat[:count, :3])
    batch = torch.from_numpy(splat[None, :count])
    no_orders = config.model_copy(update={"orders": ()})

    def ours() -> None:
        nearest_neighbours(points, points[farthest_points(points, config.groups)], config.group_size)

    times = {}
    for name, function in (("patches", ours), ("patches_plain", lambda: plain_patches(batch, no_orders))):
        started, repeats = time.process_time(), 5
        for _ in range(repeats):
            function()
        times[f"{name}_cpu_ms"] = 1000 * (time.process_time() - started) / repeats
    return {**times, "patches_speedup": times["patches_plain_cpu_ms"] / times["patches_cpu_ms"]}


def random_splat(rng: np.random.Generator, count: int) -> np.ndarray:
    """[count, 14] float32 on a sphere."""
    points = rng.normal(size=(count, 3))
    quats = rng.normal(size=(count, 4))
    parts = [
        points / np.linalg.norm(points, axis=1, keepdims=True) / 4,
        rng.random((count, 3)),
        rng.uniform(0.1, 0.9, (count, 1)),
        rng.uniform(0.002, 0.01, (count, 3)),
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def write_corpus(corpus: Corpus, splats: list[np.ndarray], rng: np.random.Generator) -> None:
    """Packed triplets of the splats with random vectors, eight to a row group."""
    columns = ["means", "colors", "opacities", "scales", "quats"]
    cuts = [slice(0, 3), slice(3, 6), 6, slice(7, 10), slice(10, 14)]
    empty = {field.name: _empty(field.type) for field in triplets_schema()}
    path = corpus.path("triplets", "train", "train-00000-of-00001.parquet")
    with corpus.table_writer(path, triplets_schema()) as writer:
        for first in range(0, len(splats), 8):
            rows = []
            for i, splat in enumerate(splats[first : first + 8], start=first):
                vectors = rng.normal(size=(VIEWS + 1, DIM))
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                arrays = {column: splat[:, cut] for column, cut in zip(columns, cuts, strict=True)}
                embeddings = {"text_embedding": vectors[0], "image_embeddings": vectors[1:]}
                rows.append({**empty, **arrays, **embeddings, "uid": f"{i}", "view_weights": vectors[1:] @ vectors[0]})
            writer.write(rows)


def _empty(data_type: pa.DataType) -> list | str | bool | int:
    if pa.types.is_list(data_type):
        return []
    if pa.types.is_string(data_type):
        return ""
    return False if pa.types.is_boolean(data_type) else 0


if __name__ == "__main__":
    main(tyro.cli(Arguments))
