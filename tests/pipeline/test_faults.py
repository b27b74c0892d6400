"""Real kills at random moments: no object is lost, and the tables end as those of an undisturbed run."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from fakes.fault_round import TwoNodes, fault_round, undisturbed
from pipeline import Corpus


@pytest.fixture
def expected(fakes, tmp_path) -> Corpus:
    return undisturbed(tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with closing(TwoNodes()) as nodes:
        yield nodes


@pytest.mark.ray
@pytest.mark.parametrize(
    ("executor", "victim", "seed"),
    [
        ("local", "driver", 1),
        ("ray", "worker", 2),
        ("ray", "child", 5),
        pytest.param("ray", "driver", 3, marks=pytest.mark.slow),
        pytest.param("ray", "node", 4, marks=pytest.mark.slow),
    ],
)
def test_a_kill_costs_no_object(request, tmp_path, expected, executor, victim, seed):
    nodes = request.getfixturevalue("nodes") if executor == "ray" else None
    outcome = fault_round(tmp_path / "disturbed", executor, victim, seed, expected, nodes)
    assert (outcome.lost, outcome.different, outcome.problems) == (0, 0, 0)
