import numpy as np
import pytest

from pipeline.values.color import linear_to_srgb, srgb_to_linear


def test_srgb_curves_invert_each_other():
    values = np.linspace(0, 1, 256)
    assert np.allclose(linear_to_srgb(srgb_to_linear(values)), values)
    assert linear_to_srgb(np.array([0.2140411]))[0] == pytest.approx(0.5, abs=1e-5)
