"""gsplat against the float64 reference; needs a CUDA device."""

import pytest
import torch

from fit_gaussians.rasterize import rasterize
from tests.fit_gaussians.rasterize.raster_scenes import (
    HEIGHT,
    WIDTH,
    camera,
    gradients,
    random_gaussians,
    settled_pixels,
)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("mode", "eps2d"), [("antialiased", 0.1), ("classic", 0.3)])
def test_gsplat_agrees_with_the_reference(mode, eps2d):
    gaussians, view = random_gaussians(400, seed=0), camera()
    settled = settled_pixels(gaussians, view, mode, eps2d)
    v_alpha = torch.randn(1, 1, HEIGHT, WIDTH, dtype=torch.float64) * settled
    v_image = torch.randn(1, 1, HEIGHT, WIDTH, 3, dtype=torch.float64) * settled[..., None]
    expected = gradients(
        gaussians, view, v_image, v_alpha, dtype=torch.float64, backend="reference", mode=mode, eps2d=eps2d
    )
    leaves = {name: tensor.float().cuda().requires_grad_() for name, tensor in gaussians.items()}
    image, alpha = rasterize(
        **leaves,
        **{name: tensor.float().cuda() for name, tensor in view.items()},
        width=WIDTH,
        height=HEIGHT,
        mode=mode,
        eps2d=eps2d,
        backend="gsplat",
    )
    torch.autograd.backward([image, alpha], [v_image.float().cuda(), v_alpha.float().cuda()])
    assert (image.detach().cpu().double() - expected["image"])[settled].abs().max() < 1e-4
    assert (alpha.detach().cpu().double() - expected["alpha"])[settled].abs().max() < 1e-4
    for name, leaf in leaves.items():
        difference = leaf.grad.cpu().double() - expected[name]
        assert difference.norm() <= 1e-3 * expected[name].norm(), name


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_gsplat_without_cuda_is_refused():
    gaussians, view = random_gaussians(5, seed=1), camera()
    tensors = {name: tensor.float() for name, tensor in {**gaussians, **view}.items()}
    with pytest.raises(RuntimeError, match="numba backend"):
        rasterize(**tensors, width=8, height=8, backend="gsplat")
