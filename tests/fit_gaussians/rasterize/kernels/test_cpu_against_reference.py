"""The Numba kernels against the float64 reference: images and every gradient."""

import pytest
import torch

from tests.fit_gaussians.rasterize.raster_scenes import (
    HEIGHT,
    WIDTH,
    camera,
    gradients,
    random_gaussians,
    settled_pixels,
)

BACKGROUNDS = {
    "black": None,
    "white": torch.ones(1, 1, 3),
    "per pixel": torch.rand(1, 1, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(1)),
}
TOLERANCE = 1e-4


def compare(gaussians, view, mode, eps2d, background=None, alpha_only=False):
    generator = torch.Generator().manual_seed(5)
    settled = settled_pixels(gaussians, view, mode, eps2d)
    assert settled.float().mean() > 0.8
    v_alpha = torch.randn(1, 1, HEIGHT, WIDTH, generator=generator, dtype=torch.float64) * settled
    v_image = torch.randn(1, 1, HEIGHT, WIDTH, 3, generator=generator, dtype=torch.float64) * settled[..., None]
    if alpha_only:
        v_image = torch.zeros_like(v_image)
    options = {"background": background, "mode": mode, "eps2d": eps2d}
    expected = gradients(gaussians, view, v_image, v_alpha, dtype=torch.float64, backend="reference", **options)
    actual = gradients(gaussians, view, v_image, v_alpha, dtype=torch.float32, backend="numba", **options)
    assert expected.keys() == actual.keys()
    assert expected["alpha"].max() > 0.5
    for name, tensor in expected.items():
        difference = actual[name] - tensor
        if name in ("image", "alpha"):
            difference = difference[settled]
            assert difference.abs().max() < 2e-5, name
        else:
            assert difference.norm() <= TOLERANCE * tensor.norm(), name


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize(("mode", "eps2d"), [("antialiased", 0.1), ("classic", 0.3)])
def test_images_and_gradients(mode, eps2d, background):
    compare(random_gaussians(400, seed=0), camera(), mode, eps2d, BACKGROUNDS[background])


@pytest.mark.parametrize("eps2d", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("mode", ["antialiased", "classic"])
def test_any_eps2d(mode, eps2d):
    compare(random_gaussians(300, seed=1, size=0.06), camera(2.0, -0.3), mode, eps2d)


@pytest.mark.parametrize("mode", ["antialiased", "classic"])
def test_alpha_alone(mode):
    compare(random_gaussians(300, seed=2), camera(4.0, 0.1), mode, 0.1, alpha_only=True)


@pytest.mark.parametrize("size", [0.004, 0.02, 0.3])
def test_small_and_large_gaussians(size):
    """From below a pixel to across the image: one, two and many vectors a row; several tiles."""
    compare(random_gaussians(150, seed=3, size=size), camera(1.0, 0.8), "antialiased", 0.1)


@pytest.mark.parametrize("mode", ["antialiased", "classic"])
def test_flat_gaussians(mode):
    compare(random_gaussians(400, seed=4, flat=True), camera(5.0, 0.0), mode, 0.1)


def test_camera_inside_the_cloud():
    """Some Gaussians lie behind the camera, some beside the image where the Jacobian's slope is held."""
    compare(random_gaussians(300, seed=6), camera(distance=0.3), "antialiased", 0.1)


def test_batches_are_independent_and_views_add_up():
    first, second = random_gaussians(60, seed=7), random_gaussians(60, seed=8)
    both = {name: torch.cat([first[name], second[name]]) for name in first}
    views = [camera(0.1), camera(2.1, 0.2), camera(3.0, -0.4)]
    three = {name: torch.cat([view[name] for view in views], 1) for name in views[0]}
    batch = {name: torch.cat([tensor, tensor]) for name, tensor in three.items()}
    v_image = torch.randn(2, 3, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(0))
    v_alpha = torch.randn(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    together = gradients(both, batch, v_image, v_alpha, dtype=torch.float32)
    for b, gaussians in enumerate((first, second)):
        alone = [
            gradients(
                gaussians, view, v_image[b : b + 1, c : c + 1], v_alpha[b : b + 1, c : c + 1], dtype=torch.float32
            )
            for c, view in enumerate(views)
        ]
        for c, result in enumerate(alone):
            for name in ("image", "alpha"):
                assert torch.equal(together[name][b, c], result[name][0, 0]), name
        for name in gaussians:
            torch.testing.assert_close(
                together[name][b], sum(result[name][0] for result in alone), rtol=1e-4, atol=1e-5
            )
