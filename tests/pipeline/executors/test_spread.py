"""One function over many items, by processes of this machine and by tasks of Ray."""

import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.base import logs
from pipeline.base.errors import ConfigError, WorkerCrash
from pipeline.executors import spread_local

TWO = {"at_once": 2, "memory_gb": 0.1}


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def refuse_three(number: int) -> int:
    if number == 3:
        raise ConfigError("three is too many")
    return number


def log_level(_: int) -> str:
    return logging.getLevelName(logging.getLogger("model").getEffectiveLevel())


def die_unless(marker: Path, number: int) -> int:
    """The process that works on item 1 dies; where there is a marker to leave, only the first time."""
    if number == 1 and not marker.exists():
        if marker.parent.exists():
            marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_the_order_of_the_items_from_other_processes(spread: Callable):
    results = spread(square, range(7), **TWO)
    assert [number for number, _ in results] == [0, 1, 4, 9, 16, 25, 36]
    assert os.getpid() not in {process for _, process in results}


def test_the_other_processes_log_as_this_one(spread: Callable):
    logs.configure(logs.LogStyle(verbose=True))
    verbose = spread(log_level, range(2), **TWO)
    logs.configure(logs.LogStyle())
    assert (verbose, spread(log_level, range(2), **TWO)) == (["INFO"] * 2, ["WARNING"] * 2)


def test_an_error_comes_as_it_was_raised(spread: Callable):
    with pytest.raises(ConfigError, match="three is too many"):
        spread(refuse_three, range(5), **TWO)


def test_a_process_that_always_dies_is_a_crash(spread: Callable, tmp_path):
    with pytest.raises(WorkerCrash):
        spread(partial(die_unless, tmp_path / "nowhere" / "marker"), range(3), **TWO)


def test_ray_calls_again_what_died_with_its_process(ray_cluster, tmp_path):
    from pipeline.executors import spread_ray

    function = partial(die_unless, tmp_path / "marker")
    assert spread_ray.spread(function, range(3), **TWO, workers=2) == [0, 1, 2]


@pytest.mark.parametrize("options", [{"items": [3], "workers": 2}, {"items": range(3), "workers": 1}])
def test_one_process_is_this_one(options):
    results = spread_local.spread(square, **options, **TWO)
    assert {process for _, process in results} == {os.getpid()}
