"""The verdict on a measured coverage."""

import pytest

from tests.coverage_floor import judge


@pytest.mark.parametrize(
    ("measured", "kept", "good", "said"),
    [
        (90.0, 90.2, True, "coverage 90.0 %, kept in tests/coverage.json: 90.2 %"),
        (89.8, 90.2, False, "has fallen"),
        (90.6, 90.2, True, "commit the better figure"),
        (90.6, None, True, 'write {"percent": 90.6} to tests/coverage.json'),
    ],
)
def test_a_figure_must_not_fall_and_a_better_one_is_to_be_kept(measured, kept, good, said):
    verdict, text = judge(measured, kept)
    assert verdict == good
    assert said in text
