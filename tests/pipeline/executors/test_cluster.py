"""What is asked of a Ray cluster, and how many tasks it is given."""

import pytest

from pipeline.executors.cluster import fitting, tasks_at_once
from pipeline.stages.stage import Resources

SMALL, LARGE = {"CPU": 1.0, "memory": 4e9}, {"CPU": 8.0, "memory": 16e9}


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ([SMALL, LARGE], {"num_cpus": 2, "memory": 6_000_000_000}),
        ([SMALL], {"num_cpus": 1, "memory": 4_000_000_000}),
        ([], {"num_cpus": 2, "memory": 6_000_000_000}),  # an autoscaler has yet to bring a node
    ],
    ids=["fits", "larger than any node", "no node yet"],
)
def test_a_task_asks_for_no_more_than_the_largest_node_has(nodes, asked):
    assert fitting(Resources(cpus=2, memory_gb=6), nodes) == asked


def test_two_tasks_are_under_way_before_any_node_is_there():
    assert tasks_at_once([], 2) == 2
    assert tasks_at_once([SMALL, LARGE], 1.5) == 14
