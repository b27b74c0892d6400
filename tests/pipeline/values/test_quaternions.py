import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.values.quaternions import multiply, quat_from_matrix, rotation_rows, with_positive_w


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_have_their_quaternion(axis):
    """Where the usual formula from the trace divides by zero."""
    matrix = 2 * np.diag(np.eye(3)[axis]) - np.eye(3)
    np.testing.assert_allclose(np.abs(quat_from_matrix(matrix)), np.eye(4)[axis + 1], atol=1e-7)


def test_products_and_matrices_are_those_of_another_library():
    first, second = Rotation.random(20, 1), Rotation.random(20, 2)
    a, b = (each.as_quat(scalar_first=True) for each in (first, second))
    expected = (second * first).as_matrix()
    product = with_positive_w(multiply(b, a))
    assert (product[:, 0] >= 0).all()
    for quat, matrix in zip(product, expected, strict=True):
        np.testing.assert_allclose(rotation_rows(*quat), matrix, atol=1e-12)
        np.testing.assert_allclose(quat_from_matrix(matrix), quat, atol=1e-12)
