"""The runs of a suite are counted as pytest tells them, in a clone, and saved after each."""

import subprocess

import pytest

from benchmarks.house.fingerprints import compare_rows
from benchmarks.house.suite import outcome_counts, run_ci, run_tests

# The second run fails.
MAKEFILE = """
venv:
	touch installed
test: installed
	@echo "tests/test_a.py: 2 passed in the docs"
	@echo again >> times
	@if [ `wc -l < times` = 2 ]; then echo "=== 1 failed, 40 passed, 3 skipped in 1.50s ==="; exit 1; fi
	@echo "=== 41 passed, 2 skipped, 1 warning in 600.50s (0:10:00) ==="
"""


def git(folder, *command):
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *author, *command], check=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / ".ci").mkdir(parents=True)
    (folder / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (folder / ".ci" / "run").write_text("#!/bin/sh\nexec make venv test\n", encoding="utf-8")
    (folder / ".ci" / "run").chmod(0o755)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "first"]):
        git(folder, *command)
    return folder


def test_every_run_is_saved_and_a_red_one_counts(repository, tmp_path):
    saved = []
    run_tests(repository, 3, tmp_path, saved.append)
    assert [figures["runs"] for figures in saved] == [1, 2, 3]
    assert [figures["green"] for figures in saved] == [1, 1, 2]
    last = saved[-1]
    assert (last["passed"], last["skipped"]) == (40, 3)
    assert [last[f"run_2_{outcome}"] for outcome in ("passed", "failed", "skipped")] == [40, 1, 3]
    assert 0 <= last["seconds_median"] <= last["seconds_max"] and "venv_seconds" in last
    assert not (repository / "times").exists()  # it ran in a clone


def test_ci_runs_in_a_clone_of_its_own(repository, tmp_path):
    saved = []
    run_ci(repository, tmp_path, saved.append)
    (figures,) = saved
    assert (figures["ci_passed"], figures["ci_failed"], figures["ci_green"]) == (41, 0, 1)


def test_without_an_environment_nothing_runs(repository, tmp_path):
    (repository / "Makefile").write_text("venv:\n\tfalse\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message", "broken")
    with pytest.raises(RuntimeError, match="make venv ended with 2"):
        run_tests(repository, 1, tmp_path, lambda figures: pytest.fail("nothing is saved"))


def test_the_last_line_of_pytest_counts():
    assert outcome_counts("== 2 errors in 1.00s ==\n12 passed, 1 error in 3.00s\n") == {"passed": 12, "error": 1}
    assert outcome_counts("ruff: 3 files would be reformatted\n") == {}


def test_a_row_that_one_corpus_lacks_is_different():
    equal, different = compare_rows({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0", "d": "4"})
    assert (equal, different) == (["a"], ["b", "c", "d"])
