from benchmarks.gpu.fit_batch import fit_in_batches
from fit_gaussians.config import FitConfig
from tests.fit_gaussians.scenes import sphere_row


def test_quality_does_not_depend_on_the_batch():
    rows = [sphere_row(uid=name, views=6, size=32, points=300) for name in "abc"]
    config = FitConfig(num_gaussians=200, iterations=4, heldout_every=3)
    one, two = (fit_in_batches(rows, size, config, "numba") for size in (1, 2))
    assert abs(one["psnr_median"] - two["psnr_median"]) < 0.01
    assert one["psnr_median"] > 15 and one["ms_per_object_iteration"] > 0
