"""How fast the CPU rasterizer and its loss are, in one thread.

    python -m benchmarks.fit.raster

10,000 Gaussians on a torus around a bumpy ball, one view, forward and backward through autograd, random gradients of
the image. Milliseconds are CPU time of the thread, the fastest of many repeats, since the machine may have other work.
`share_of_limit_256` compares the blending of both passes with the time that its innermost step (one Gaussian in one
vector of pixels) would need for the pairs of a Gaussian and a pixel that contribute, if all lanes were always full and
nothing else had to be done; that time is measured in the same run. `first_call_s` is a new process that renders once,
with the kernels' cache warm: CPU time of the imports after torch's, of loading the machine code and of the call.
`raster_256_avx2_ms` is the same step with kernels compiled for a processor that has AVX2 and no AVX-512.

Writes raster.json.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from benchmarks.record import record
from benchmarks.reference import fastest_ms, limit_ms
from fit_gaussians.gpu.losses import image_loss
from fit_gaussians.rasterize import rasterize, reference
from fit_gaussians.rasterize.conventions import ALPHA_MAX, TRANSMITTANCE_MIN
from fit_gaussians.rasterize.kernels.loss import image_loss_cpu

NUM_GAUSSIANS = 10_000
FOV = math.radians(50)
FIRST_CALL = """
import time
start = time.process_time()
import torch
imported = time.process_time()
from benchmarks.fit.raster import camera, scene, draw
made = time.process_time()
scene = scene(); view = camera(64)
made = time.process_time() - made
draw(scene, view, 64).sum().backward()
print(time.process_time() - imported - made)
"""


AVX2 = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
ONE_STEP = """
import torch
from benchmarks.fit.raster import raster_ms, scene
torch.set_num_threads(1)
print(raster_ms(scene(), 256, 200))
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    gaussians = scene()
    figures = {}
    for size, repeats in ((128, 300), (256, 200), (512, 80)):
        figures[f"raster_{size}_ms"] = raster_ms(gaussians, size, repeats)
    figures["raster_classic_256_ms"] = raster_ms(gaussians, 256, 200, mode="classic", eps2d=0.3)
    figures["raster_forward_256_ms"] = forward_ms(gaussians, 256, 200)
    figures |= limit_figures(gaussians, 256)
    figures["loss_l1_ssim_256_ms"] = loss_ms(image_loss_cpu, 256, 100)
    figures["loss_l1_ssim_256_torch_ms"] = loss_ms(image_loss, 256, 10)
    figures["first_call_s"] = min(number_printed_by(FIRST_CALL) for _ in range(3))
    if platform.machine() == "x86_64":
        figures["raster_256_avx2_ms"] = number_printed_by(ONE_STEP, AVX2)
    record("raster", figures, notes=__doc__.split("\n\n")[2].replace("\n", " "))


def scene(seed: int = 0) -> dict[str, Tensor]:
    """Half of the Gaussians on a torus, half on a bumpy ball inside it; any orientation, no two alike."""
    rng = np.random.default_rng(seed)
    half = NUM_GAUSSIANS // 2
    around, along = rng.uniform(0, 2 * np.pi, (2, half))
    ring = 0.62 + 0.14 * np.cos(along)
    torus = np.stack([ring * np.cos(around), ring * np.sin(around), 0.14 * np.sin(along)], 1)
    directions = rng.normal(size=(NUM_GAUSSIANS - half, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ball = directions * (0.40 + 0.03 * np.prod(np.sin(8 * directions), axis=1, keepdims=True))
    means = rng.permutation(np.concatenate([torus, ball]))
    distances, _ = cKDTree(means).query(means, k=4)
    arrays = {
        "means": means,
        "quats": rng.normal(size=(NUM_GAUSSIANS, 4)),
        "scales": 0.5 * distances[:, 1:].mean(1, keepdims=True) * rng.uniform(0.7, 1.4, (NUM_GAUSSIANS, 3)),
        "opacities": rng.uniform(0.1, 0.9, NUM_GAUSSIANS),
        "colors": 0.5 + 0.5 * np.sin(9 * means @ rng.normal(size=(3, 3))),
    }
    return {name: torch.tensor(array[None], dtype=torch.float32, requires_grad=True) for name, array in arrays.items()}


def camera(size: int) -> dict[str, Tensor]:
    """Two units from the centre, a little above."""
    eye = 2 * np.array([0.6, -0.64, 0.48])
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = [right, np.cross(forward, right), forward]
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    focal = size / 2 / math.tan(FOV / 2)
    intrinsics = [focal, focal, size / 2, size / 2]
    return {
        "world_to_camera": torch.tensor(matrix[None, None], dtype=torch.float32),
        "intrinsics": torch.tensor([[intrinsics]], dtype=torch.float32),
    }


def draw(gaussians: dict[str, Tensor], view: dict[str, Tensor], size: int, **options) -> Tensor:
    image, _ = rasterize(**gaussians, **view, width=size, height=size, background=torch.ones(1, 1, 3), **options)
    return image


def raster_ms(gaussians: dict[str, Tensor], size: int, repeats: int, **options) -> float:
    view, v_image = camera(size), torch.randn(1, 1, 3, size, size).movedim(2, -1)

    def step():
        for tensor in gaussians.values():
            tensor.grad = None
        draw(gaussians, view, size, **options).backward(v_image)

    return fastest_ms(step, repeats)


def forward_ms(gaussians: dict[str, Tensor], size: int, repeats: int) -> float:
    view = camera(size)
    with torch.no_grad():
        return fastest_ms(lambda: draw(gaussians, view, size), repeats)


def loss_ms(loss: Callable, size: int, repeats: int) -> float:
    image, truth = torch.rand(2, 1, 1, 3, size, size).movedim(3, -1)
    image.requires_grad_()
    return fastest_ms(lambda: loss(image, truth, 0.2).backward(), repeats)


def limit_figures(gaussians: dict[str, Tensor], size: int) -> dict[str, float]:
    """The pairs that contribute, what they would need at least, and what blending takes."""
    import fit_gaussians.rasterize.kernels.view as cpu

    pairs = count_pairs(gaussians, size)
    limit = limit_ms(pairs)
    calls = {}

    def timed(name: str, function: Callable) -> Callable:
        def call(*arguments):
            start = time.thread_time()
            function(*arguments)
            calls.setdefault(name, []).append(1e3 * (time.thread_time() - start))

        return call

    originals = cpu.blend, cpu.blend_backward
    cpu.blend, cpu.blend_backward = timed("forward", cpu.blend), timed("backward", cpu.blend_backward)
    try:
        raster_ms(gaussians, size, 100)
    finally:
        cpu.blend, cpu.blend_backward = originals
    blending = min(calls["forward"]) + min(calls["backward"])
    return {
        f"pairs_{size}": pairs,
        f"limit_{size}_ms": limit,
        f"blending_{size}_ms": blending,
        f"share_of_limit_{size}": limit / blending,
    }


def count_pairs(gaussians: dict[str, Tensor], size: int) -> int:
    """Pairs of a Gaussian and a pixel with a weight above 0, counted by the reference."""
    parameters = [gaussians[name][0].detach() for name in ("means", "quats", "scales", "opacities")]
    world_to_camera, intrinsics = (tensor[0, 0] for tensor in camera(size).values())
    projection = reference.project(*parameters, world_to_camera, intrinsics, size, size, True, 0.1)
    pairs = reference.pair_with_pixels(projection, size, size)
    alphas = reference.pair_alphas(projection, pairs.gaussians, pairs.pixels, size).clamp(max=ALPHA_MAX)
    behind = reference.transmittances(alphas, pairs) * (1 - alphas)
    return int((behind > TRANSMITTANCE_MIN).sum())


def number_printed_by(code: str, environment: Mapping[str, str] = MappingProxyType({})) -> float:
    """What a new process prints."""
    command = [sys.executable, "-c", code]
    return float(subprocess.check_output(command, text=True, env={**os.environ, **environment}))


if __name__ == "__main__":
    main()
