import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest

from pipeline.values.splat import rest_count
from pipeline.values.spz import spz_bytes
from tests.fit_gaussians.scenes import sphere_points, splat_of


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_harmonics_follow_the_rotations_with_few_bits(degree):
    splat = splat_of(*sphere_points(40), spacing=0.05)
    rest = np.random.default_rng(0).uniform(-1.2, 1.2, (40, rest_count(degree), 3)).astype(np.float32)
    data = gzip.decompress(spz_bytes(replace(splat, sh_rest=rest), antialiased=True))
    assert struct.unpack("<4sIIBBBB", data[:16])[3] == degree
    stored = np.frombuffer(data[16 + 40 * 19 :], np.uint8).reshape(rest.shape)
    inside = np.abs(rest) < 0.9  # 255, the largest byte, is no multiple of a step
    assert not (stored[:, :3] % 8)[inside[:, :3]].any() and not (stored[:, 3:] % 16)[inside[:, 3:]].any()
    error = np.abs((stored.astype(np.float32) - 128) / 128 - rest.clip(-1, 127 / 128))
    assert (error[:, :3] <= 4.5 / 128).all() and (error[:, 3:] <= 8.5 / 128).all()
