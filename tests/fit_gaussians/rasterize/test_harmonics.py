"""Spherical harmonics: the kernels against torch in float64, and torch against gsplat's own."""

import numpy as np
import pytest
import torch

from fit_gaussians.rasterize.harmonics import view_colors
from fit_gaussians.rasterize.kernels.layout import NUM_GAUSSIAN_PLANES, RED, padded
from fit_gaussians.rasterize.kernels.shade import shade, shade_backward
from fit_gaussians.rasterize.kernels.view import camera_arrays
from pipeline.values.splat import SH_C0, rest_count

N = 21  # not a whole number of vectors
P = padded(N)


@pytest.fixture(scope="module")
def scene():
    """means [N, 3], colours [N, 3], coefficients [N, 15, 3] and a camera, in float64."""
    rng = torch.Generator().manual_seed(0)
    means, colors = (torch.randn(N, 3, generator=rng, dtype=torch.float64) * 0.3 for _ in range(2))
    rest = torch.randn(N, 15, 3, generator=rng, dtype=torch.float64) * 0.3
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    camera = torch.eye(4, dtype=torch.float64)
    camera[:3, :3], camera[:3, 3] = rotation * torch.det(rotation), torch.tensor([0.1, -0.2, 1.5])
    return means, colors + 0.5, rest, camera


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_basis_is_that_of_gsplat(scene, degree):
    from gsplat.cuda._torch_impl import _spherical_harmonics

    means, colors, rest, camera = scene
    rest = rest[:, : rest_count(degree)]
    ours = view_colors(means[None], colors[None], rest[None], camera[None, None])[0, 0]
    directions = means + camera[:3, :3].T @ camera[:3, 3]  # from the camera's place, -Rᵀ t
    coefficients = torch.cat([(colors[:, None] - 0.5) / SH_C0, rest], 1)
    theirs = (_spherical_harmonics(degree, directions, coefficients) + 0.5).clamp(min=0)
    assert torch.allclose(ours, theirs, atol=1e-9)
    assert (ours == 0).any() and (ours > 0).any()


def test_degree_0_has_the_colours_themselves(scene):
    means, colors, rest, camera = scene
    assert torch.equal(view_colors(means[None], colors[None], rest[None, :, :0], camera[None, None])[0, 0], colors)


def planes_of(*tensors):
    rows = torch.cat([tensor.reshape(N, -1) for tensor in tensors], 1).T.float().numpy()
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, P - N)), mode="edge"))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_kernels_agree_with_torch(scene, degree):
    means, colors, rest, camera = (tensor.clone().requires_grad_() for tensor in scene)
    used = rest[:, : rest_count(degree)]
    expected = view_colors(means[None], colors[None], used[None], camera.detach()[None, None])[0, 0]
    upstream = torch.randn(N, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (expected * upstream).sum().backward()

    coefficients = planes_of(colors.detach(), rest.detach())
    gaussians, gradients = np.zeros((2, NUM_GAUSSIAN_PLANES, P), np.float32)
    gaussians[:3] = planes_of(means.detach())
    camera_array = camera_arrays(camera.detach().float().numpy(), np.ones(4, np.float32))
    shade(coefficients, camera_array, degree, N, gaussians)
    assert pytest.approx(expected.detach().numpy(), abs=1e-5) == gaussians[RED : RED + 3, :N].T

    gradients[:3] = 1.0  # what the projection left there must be added to
    gradients[RED : RED + 3] = planes_of(upstream)
    v_coefficients = np.zeros_like(coefficients)
    shade_backward(coefficients, camera_array, degree, N, gaussians, gradients, v_coefficients)
    assert pytest.approx(colors.grad.numpy(), abs=1e-5) == v_coefficients[:3, :N].T
    assert v_coefficients[3:, :N].T.reshape(N, 15, 3) == pytest.approx(rest.grad.numpy(), abs=1e-5)
    assert pytest.approx(means.grad.numpy(), abs=1e-4) == gradients[:3, :N].T - 1
