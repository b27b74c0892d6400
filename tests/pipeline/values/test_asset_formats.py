"""What is said of each format elsewhere is said of all of them."""

from pipeline.assets.files.checks import CHECKS
from pipeline.assets.stage import UP_AXIS
from pipeline.values.asset_formats import ASSET_FORMATS


def test_every_format_has_a_check_and_an_up_axis():
    assert set(CHECKS) == set(UP_AXIS) == set(ASSET_FORMATS)
