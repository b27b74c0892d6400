"""The loss kernel against the same loss in float64 torch."""

import threading

import pytest
import torch

from fit_gaussians.gpu.losses import image_loss
from fit_gaussians.rasterize.kernels.loss import image_loss_cpu


def images(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(*shape, generator=generator)
    truth = (image + 0.3 * torch.randn(*shape, generator=generator)).clamp(0, 1)
    truth[..., : shape[-3] // 3, :, :] = image[..., : shape[-3] // 3, :, :]  # where both agree, L1 has no gradient
    return image, truth


def loss_and_gradient(function, image, truth, weight):
    leaf = image.clone().requires_grad_()
    loss = function(leaf, truth, weight)
    (2.5 * loss).backward()
    return loss.detach().double(), leaf.grad.double()


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(61, 83, 3), (1, 2, 30, 16, 3), (11, 11, 3), (2, 12, 40, 3), (40, 11, 3)])
def test_loss_and_gradient(shape, weight):
    image, truth = images(*shape)
    expected, expected_gradient = loss_and_gradient(image_loss, image.double(), truth.double(), weight)
    loss, gradient = loss_and_gradient(image_loss_cpu, image, truth, weight)
    assert abs(loss - expected) < 1e-6
    assert (gradient - expected_gradient).norm() <= 1e-5 * expected_gradient.norm()


def test_constant_images():
    """No variance anywhere: only the constants of SSIM keep it defined."""
    image, truth = torch.full((20, 20, 3), 0.25), torch.full((20, 20, 3), 0.75)
    expected, expected_gradient = loss_and_gradient(image_loss, image.double(), truth.double(), 0.2)
    loss, gradient = loss_and_gradient(image_loss_cpu, image, truth, 0.2)
    assert abs(loss - expected) < 2e-5  # float32 leaves 1e-7 of variance, against constants of 1e-3
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-7)
    assert image_loss_cpu(image, image, 0.2).abs() < 2e-5


def test_any_layout_and_a_used_scratch():
    image, truth = images(40, 50, 3)
    expected = loss_and_gradient(image_loss_cpu, image, truth, 0.2)
    image_loss_cpu(*images(90, 120, 3), 0.2)
    planar = [tensor.movedim(-1, 0).contiguous().movedim(0, -1) for tensor in (image, truth)]
    loss, gradient = loss_and_gradient(image_loss_cpu, *planar, 0.2)
    assert loss == expected[0]
    assert torch.equal(gradient, expected[1])


def test_threads_do_not_disturb_each_other():
    pairs = [images(60, 70, 3, seed=seed) for seed in range(2)]
    expected = [loss_and_gradient(image_loss_cpu, *pair, 0.2)[1] for pair in pairs]
    actual = [[], []]

    def work(index):
        for _ in range(20):
            actual[index].append(loss_and_gradient(image_loss_cpu, *pairs[index], 0.2)[1])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(2):
        assert len(actual[index]) == 20
        assert all(torch.equal(gradient, expected[index]) for gradient in actual[index])


def test_wrong_images_are_refused():
    image, truth = images(20, 20, 3)
    with pytest.raises(ValueError, match="float32"):
        image_loss_cpu(image.double(), truth.double(), 0.2)
    with pytest.raises(ValueError, match="both"):
        image_loss_cpu(image, truth[:19], 0.2)
    with pytest.raises(ValueError, match="11 pixels"):
        image_loss_cpu(image[:10], truth[:10], 0.2)
    assert image_loss_cpu(image[:10], truth[:10], 0.0) > 0
