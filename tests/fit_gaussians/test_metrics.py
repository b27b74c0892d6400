import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fit_gaussians.metrics import MAX_PSNR, measure, psnr_of, ssim_of
from fit_gaussians.ssim import ssim
from fit_gaussians.views import read_views
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of


def pair(seed=0, shape=(40, 52, 3)):
    rng = np.random.default_rng(seed)
    truth = rng.random(shape).astype(np.float32)
    return (truth + rng.normal(0, 0.1, shape).astype(np.float32)).clip(0, 1), truth


def test_psnr_is_that_of_skimage():
    image, truth = pair()
    ours = psnr_of(float(np.square(image - truth).mean()))
    assert ours == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=1), abs=1e-4)


def test_psnr_of_a_perfect_image_is_finite():
    assert psnr_of(0.0) == MAX_PSNR


@pytest.mark.parametrize("shape", [(40, 52, 3), (11, 11, 3)])
def test_ssim_is_that_of_skimage(shape):
    image, truth = pair(shape=shape)
    theirs = structural_similarity(
        image,
        truth,
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert float(ssim(torch.from_numpy(image), torch.from_numpy(truth))) == pytest.approx(theirs, abs=1e-5)
    assert ssim_of(image, truth) == pytest.approx(theirs, abs=1e-5)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(torch.zeros(10, 20, 3), torch.zeros(10, 20, 3))


def test_ssim_of_a_batch_is_the_mean_over_it():
    pairs = [pair(seed) for seed in range(3)]
    batch = [torch.from_numpy(np.stack(images)) for images in zip(*pairs, strict=True)]
    each = [ssim(torch.from_numpy(image), torch.from_numpy(truth)) for image, truth in pairs]
    assert float(ssim(*batch)) == pytest.approx(float(torch.stack(each).mean()), abs=1e-6)


def test_measure_scores_image_object_and_worst_view():
    points, normals, colors = sphere_points(2000)
    splat = splat_of(points, normals, colors, spacing=0.02)
    views = read_views(sphere_row(views=4), 0)
    quality = measure(splat, views, "antialiased", 0.1)
    covered = float((views.alphas > 0).mean())
    # all of the error lies on the object, so the two differ by the share of the image that the object takes
    assert quality.psnr - quality.psnr_object == pytest.approx(-10 * np.log10(covered), abs=0.5)
    assert quality.psnr_worst_view <= quality.psnr
    assert 0 < quality.ssim < 1
