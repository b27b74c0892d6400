"""The torch reference against finite differences, against gsplat's own torch projection, and by hand."""

import math

import pytest
import torch

from fit_gaussians.rasterize import rasterize, reference
from tests.fit_gaussians.rasterize.raster_scenes import PARAMETERS, camera, draw, random_gaussians


@pytest.mark.parametrize(("mode", "eps2d"), [("antialiased", 0.1), ("classic", 0.3)])
def test_finite_differences(mode, eps2d):
    gaussians = random_gaussians(4, seed=0, size=0.25)
    gaussians["opacities"] = gaussians["opacities"].clamp(0.3, 0.9)
    view = camera(width=9, height=8)
    background = torch.rand(1, 1, 8, 9, 3, dtype=torch.float64)

    def render(*parameters):
        arguments = dict(zip(PARAMETERS, parameters[:5], strict=True))
        options = {"background": parameters[5], "mode": mode, "eps2d": eps2d, "backend": "reference"}
        return rasterize(**arguments, **view, width=9, height=8, **options)

    inputs = [gaussians[name].requires_grad_() for name in PARAMETERS]
    assert torch.autograd.gradcheck(render, (*inputs, background.requires_grad_()), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("antialiased", [True, False])
def test_projection_agrees_with_gsplat(antialiased):
    torch_impl = pytest.importorskip("gsplat.cuda._torch_impl")
    from fit_gaussians.rasterize.gsplat_backend import camera_matrices

    gaussians, view, eps2d = random_gaussians(500, seed=1), camera(distance=0.7), 0.1
    covariances, _ = torch_impl._quat_scale_to_covar_preci(gaussians["quats"], gaussians["scales"], True, False)
    _, means2d, depths, conics, compensations = torch_impl._fully_fused_projection(
        gaussians["means"],
        covariances,
        view["world_to_camera"],
        camera_matrices(view["intrinsics"]),
        83,
        61,
        eps2d=eps2d,
        calc_compensations=True,
    )
    ours = reference.project(
        *(gaussians[name][0] for name in PARAMETERS[:4]),
        view["world_to_camera"][0, 0],
        view["intrinsics"][0, 0],
        83,
        61,
        antialiased,
        eps2d,
    )
    expected = gaussians["opacities"][0] * (compensations[0, 0] if antialiased else 1)
    seen = depths[0, 0] > 0.01
    assert 100 < seen.sum() < 500 or seen.all()
    torch.testing.assert_close(ours.depths, depths[0, 0])
    torch.testing.assert_close(ours.means2d[seen], means2d[0, 0][seen])
    torch.testing.assert_close(ours.conics[seen], conics[0, 0][seen])
    torch.testing.assert_close(ours.opacities[seen], expected[seen])


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_one_gaussian_by_hand(backend):
    """A round Gaussian before the centre of a pixel: alpha falls as exp(-r² / 2σ²)."""
    opacity, sigma, focal, depth = 0.8, 0.1, 40.0, 2.0
    gaussians = {
        "means": torch.tensor([[[0.0, 0, 0]]]),
        "quats": torch.tensor([[[1.0, 0, 0, 0]]]),
        "scales": torch.full((1, 1, 3), sigma),
        "opacities": torch.tensor([[opacity]]),
        "colors": torch.tensor([[[1.0, 0.5, 0]]]),
    }
    matrix = torch.eye(4)
    matrix[2, 3] = depth
    view = {"world_to_camera": matrix[None, None], "intrinsics": torch.tensor([[[focal, focal, 10.5, 8.5]]])}
    background = torch.tensor([[[0.0, 0.0, 1.0]]])
    image, alpha = draw(
        gaussians, view, width=21, height=17, background=background, mode="classic", eps2d=0.3, backend=backend
    )
    variance = (sigma * focal / depth) ** 2 + 0.3
    for dx, dy in ((0, 0), (3, 0), (-2, 4)):
        expected = opacity * math.exp(-(dx * dx + dy * dy) / (2 * variance))
        assert alpha[0, 0, 8 + dy, 10 + dx].item() == pytest.approx(expected, rel=1e-5)
        color = torch.tensor([expected, expected * 0.5, 1 - expected])
        torch.testing.assert_close(image[0, 0, 8 + dy, 10 + dx], color, rtol=1e-5, atol=1e-6)
    edge = math.sqrt(2 * variance * math.log(opacity * 255))  # where alpha is 1/255
    assert (alpha[0, 0, 8, 10 + int(edge)] > 0).all()
    assert alpha[0, 0, 8, 10 + int(edge) + 1] == 0
