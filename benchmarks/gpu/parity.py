"""Do gsplat, our CPU kernels and the float64 reference agree, in images and gradients? Needs a CUDA device and gsplat.

    python -m benchmarks.gpu.parity

The scene is that of benchmarks/fit/raster.py at 256 x 256. Image figures are the share of pixels that differ from the
reference by more than 0.0001 (decisions near a threshold fall differently in float32) and the largest difference in the
other pixels; gradient figures are |g - reference| / |reference| over those pixels, for random gradients of image and
alpha. Also the milliseconds of gsplat's forward and backward pass.

Writes gpu_parity.json.
"""

import argparse
import sys
import time

import torch
from torch import Tensor

from benchmarks.fit.raster import camera, scene
from benchmarks.record import record
from fit_gaussians.rasterize import rasterize

SIZE = 256
CLOSE = 1e-4
REPEATS = 50
SETTINGS = {"antialiased": 0.1, "classic": 0.3}


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if not torch.cuda.is_available():
        print("benchmarks.gpu.parity needs a CUDA device, and torch finds none", file=sys.stderr)
        return 2
    figures = {}
    for mode, eps2d in SETTINGS.items():
        figures |= compare(mode, eps2d)
        figures[f"{mode}_gsplat_{SIZE}_ms"] = gsplat_ms(mode, eps2d)
    for key, value in figures.items():
        print(f"{key:50} {value:.3g}")
    record("gpu_parity", figures, notes=__doc__.split("\n\n")[2].replace("\n", " "))
    return 0


def compare(mode: str, eps2d: float) -> dict[str, float]:
    images = {backend: results(backend, mode, eps2d, None)["image"] for backend in ("reference", "gsplat", "numba")}
    expected = images.pop("reference")
    figures, close = {}, torch.ones_like(expected[..., 0], dtype=torch.bool)
    for backend, image in images.items():
        difference = (image - expected).abs().amax(-1)
        same = difference <= CLOSE
        figures[f"{mode}_{backend}_share_of_pixels_that_differ"] = 1 - same.double().mean().item()
        figures[f"{mode}_{backend}_largest_other_difference"] = difference[same].max().item()
        close &= same
    expected = results("reference", mode, eps2d, close)
    for backend in images:
        actual = results(backend, mode, eps2d, close)
        for name in expected.keys() - {"image"}:
            error = (actual[name] - expected[name]).norm() / expected[name].norm()
            figures[f"{mode}_{backend}_error_of_{name}"] = error.item()
    return figures


def results(backend: str, mode: str, eps2d: float, where: Tensor | None) -> dict[str, Tensor]:
    """The image and, given the pixels [1, 1, H, W] to look at, the gradients; float64 on the CPU."""
    device = "cuda" if backend == "gsplat" else "cpu"
    dtype = torch.float64 if backend == "reference" else torch.float32
    leaves = {name: tensor.detach().to(device, dtype).requires_grad_() for name, tensor in scene().items()}
    image, alpha = rasterize(
        **leaves,
        **{name: tensor.to(device, dtype) for name, tensor in camera(SIZE).items()},
        width=SIZE,
        height=SIZE,
        background=torch.ones(1, 1, 3, dtype=dtype, device=device),
        mode=mode,
        eps2d=eps2d,
        backend=backend,
    )
    found = {"image": image.detach()}
    if where is not None:
        generator = torch.Generator().manual_seed(0)
        v_image = torch.randn(1, 1, SIZE, SIZE, 3, generator=generator) * where[..., None]
        v_alpha = torch.randn(1, 1, SIZE, SIZE, generator=generator) * where
        torch.autograd.backward([image, alpha], [v_image.to(device, dtype), v_alpha.to(device, dtype)])
        found |= {name: leaf.grad for name, leaf in leaves.items()}
    return {name: tensor.double().cpu() for name, tensor in found.items()}


def gsplat_ms(mode: str, eps2d: float) -> float:
    """Wall time of one view, forward and backward, the mean of many."""
    leaves = {name: tensor.detach().cuda().requires_grad_() for name, tensor in scene().items()}
    view = {name: tensor.cuda() for name, tensor in camera(SIZE).items()}
    v_image = torch.randn(1, 1, SIZE, SIZE, 3, device="cuda")

    def step():
        image, _ = rasterize(**leaves, **view, width=SIZE, height=SIZE, mode=mode, eps2d=eps2d, backend="gsplat")
        image.backward(v_image)

    for _ in range(5):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(REPEATS):
        step()
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - start) / REPEATS


if __name__ == "__main__":
    sys.exit(main())
