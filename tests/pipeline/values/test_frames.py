import numpy as np
import pytest

from pipeline.base.errors import AssetError
from pipeline.values.frames import z_up_matrix


def test_y_up_becomes_z_up():
    matrix = z_up_matrix("y", None)
    assert np.array_equal(matrix @ [0, 1, 0], [0, 0, 1])
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert np.array_equal(z_up_matrix("z", np.zeros(0)), np.eye(3))


def test_rotation_is_applied_in_the_assets_own_frame():
    quarter = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # around x: y becomes z, z becomes -y
    matrix = z_up_matrix("y", quarter.ravel())
    assert np.allclose(matrix @ [0, 0, 1], [0, 0, -1])


@pytest.mark.parametrize(
    "rotation", [[1] * 9, [-1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0, 0, np.nan], [1, 0, 0]]
)
def test_what_is_no_rotation_is_refused(rotation):
    with pytest.raises(AssetError, match="rotation"):
        z_up_matrix("y", np.array(rotation, float))


def test_unknown_axis_is_refused():
    with pytest.raises(AssetError, match="up_axis"):
        z_up_matrix("x", None)
