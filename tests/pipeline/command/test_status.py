"""What is foretold: a worker's first shard, slow as things are loaded, counts once for a worker and not for a rate."""

import pytest

from pipeline.command.status import StageStatus


def test_a_slow_first_shard_is_part_of_the_start():
    # Two workers: 5 s of set-up each, a first shard of 2 objects in 10 s, then 8 objects in 8 s.
    status = StageStatus(done=19, failed=1, seconds=36, setup_seconds=10, setups=2, first_objects=4, first_seconds=20)
    assert status.seconds_per_object == 1.0
    assert status.seconds_for(100, workers=4) == pytest.approx(100 / 4 + 5 + (20 - 4) / 2)
    assert status.seconds_for(0, workers=4) == 0.0


def test_first_shards_alone_are_better_than_nothing():
    status = StageStatus(done=4, seconds=20, setup_seconds=10, setups=2, first_objects=4, first_seconds=20)
    assert status.seconds_for(8, workers=2) == pytest.approx(8 * 5 / 2 + 5)
    assert StageStatus(pending=3).seconds_for(3, workers=2) is None


def test_a_quick_first_shard_makes_no_start_shorter():
    status = StageStatus(done=4, seconds=6, setup_seconds=1, setups=1, first_objects=2, first_seconds=1)
    assert status.seconds_for(2, workers=1) == pytest.approx(2 * 2.5 + 1)
