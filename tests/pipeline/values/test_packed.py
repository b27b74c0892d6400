import numpy as np
import pytest

from pipeline.values.packed import COLORS, MEANS, OPACITY, QUATS, SCALES, pack


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_attribute_lies_in_its_slice_whether_given_flat_or_shaped(count):
    random = np.random.default_rng(0)
    shapes = {
        "quats": (count, 4),
        "means": (count, 3),
        "opacities": (count,),
        "scales": (count, 3),
        "colors": (count, 3),
    }
    shaped = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    packed = pack(shaped)
    assert packed.shape == (count, 14) and packed.dtype == np.float32
    parts = {"means": MEANS, "colors": COLORS, "opacities": OPACITY, "scales": SCALES, "quats": QUATS}
    for name, part in parts.items():
        np.testing.assert_array_equal(packed[:, part].reshape(-1), shaped[name].reshape(-1))
    np.testing.assert_array_equal(pack({name: array.reshape(-1) for name, array in shaped.items()}), packed)


def test_attributes_of_unlike_numbers_are_refused():
    columns = {"means": (2, 3), "colors": (2, 3), "opacities": (3,), "scales": (2, 3), "quats": (2, 4)}
    with pytest.raises(ValueError, match="shape"):
        pack({name: np.zeros(shape, np.float32) for name, shape in columns.items()})
