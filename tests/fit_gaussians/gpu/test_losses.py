import pytest
import torch

from fit_gaussians.gpu.losses import image_loss, image_losses


@pytest.mark.parametrize("weight", [0.0, 0.2])
def test_a_loss_inside_a_rectangle_is_that_of_the_rectangle_cut_out(weight):
    image, truth = torch.rand(2, 2, 3, 30, 40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    inside = torch.zeros(2, 3, 30, 40, dtype=torch.bool)
    windows = {}
    for b in range(2):
        for c in range(3):
            top, left, height, width = 2 * b, 3 * c, 11 + 7 * b, 20 + 4 * c
            windows[b, c] = (b, c, slice(top, top + height), slice(left, left + width))
            inside[windows[b, c]] = True
    losses = image_losses(image, truth, inside, weight)
    assert losses.shape == (2, 3)
    (gradient,) = torch.autograd.grad(losses.sum(), image)
    for (b, c), window in windows.items():
        expected = image_loss(image[window], truth[window], weight)
        assert losses[b, c].item() == pytest.approx(expected.item(), rel=1e-12)
        (expected_gradient,) = torch.autograd.grad(expected, image)
        assert torch.allclose(gradient[b, c], expected_gradient[b, c], atol=1e-15)
    assert not gradient[~inside].any()
