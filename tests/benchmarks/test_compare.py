"""What got worse beyond its noise is named, across commits and machines."""

import json
import math
import subprocess

import pytest

from benchmarks.compare import compare_tree
from benchmarks.noise import rule_of
from benchmarks.record import RESULTS
from benchmarks.verdicts import Outcome, compare_results


def result(figures, machine="a box", limit=None, command="python -m benchmarks.fit.raster"):
    capability = {"capability": {"limit_256_ms": limit}} if limit else {}
    return {"machine": machine, **capability, "command": command, "commit": "1", "notes": "", "figures": figures}


def outcome(name, before, now):
    (verdict,) = compare_results(name, before, now)
    return verdict.outcome


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    subprocess.run(["git", "-C", str(tmp_path), "init", "--quiet"], check=True)
    return tmp_path


def write(repository, name, figures, **maker):
    path = repository / "benchmarks" / "results" / f"{name}.json"
    path.write_text(json.dumps(result(figures, **maker)), encoding="utf-8")


def commit(repository):
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "results"], check=True)


def test_a_change_not_yet_committed_is_held_against_head(repository, capsys):
    write(repository, "raster", {"raster_256_ms": 10.0, "pairs_256": 5})
    commit(repository)
    write(repository, "raster", {"raster_256_ms": 10.5, "pairs_256": 50})
    assert compare_tree(repository) == 0
    assert "raster, against HEAD: 1 the same within noise, 1 without a direction" in capsys.readouterr().out
    write(repository, "raster", {"raster_256_ms": 12.0, "pairs_256": 5})
    assert compare_tree(repository) == 1
    assert "WORSE: raster_256_ms 10 -> 12; lower is better, noise 8%" in capsys.readouterr().out


def test_a_committed_change_is_held_against_the_one_before(repository, capsys):
    write(repository, "fit", {"psnr_easy": 36.0})
    commit(repository)
    write(repository, "fit", {"psnr_easy": 35.0})
    commit(repository)
    (repository / "other").touch()
    commit(repository)
    assert compare_tree(repository) == 1
    assert "psnr_easy 36 -> 35; higher is better, noise 0.1" in capsys.readouterr().out
    assert compare_tree(repository, "HEAD~1") == 0


def test_new_files_and_figures_that_are_gone_are_told_and_are_not_worse(repository, capsys):
    write(repository, "fit", {"psnr_easy": 36.0, "psnr_hard": 30.0})
    commit(repository)
    write(repository, "fit", {"psnr_easy": 37.0, "psnr_medium": 33.0})
    write(repository, "house", {"after_circles": 0})
    assert compare_tree(repository) == 0
    told = capsys.readouterr().out
    assert "house: not held against anything, for it is new" in told and "gone: psnr_hard" in told
    assert "better: psnr_easy 36 -> 37" in told


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (result({"raster_256_ms": 10}, limit=0.3), result({"raster_256_ms": 20}, "b", 0.6), Outcome.SAME),
        (result({"raster_256_ms": 10}, limit=0.6), result({"raster_256_ms": 10}, "b", 0.3), Outcome.WORSE),
        (result({"raster_256_ms": 10}), result({"raster_256_ms": 99}, "b", 0.6), Outcome.OTHER_MACHINE),
        (result({"raster_256_ms": 10}), result({"raster_256_ms": 99}, limit=0.6), Outcome.WORSE),  # the same machine
    ],
)
def test_times_are_scaled_by_the_reference_times(before, now, expected):
    assert outcome("raster", before, now) is expected


def test_numbers_per_time_are_scaled_the_other_way():
    before = result({"samples_per_second": 100}, limit=0.3)
    assert outcome("training", before, result({"samples_per_second": 50}, "b", limit=0.6)) is Outcome.SAME
    assert outcome("training", before, result({"samples_per_second": 60}, limit=0.3)) is Outcome.WORSE


def test_another_command_compares_only_in_what_must_not_change():
    before = result({"uids_lost": 0}, command="python -m benchmarks.cluster --rounds 8")
    assert outcome("cluster", before, result({"uids_lost": 1}, command="python -m benchmarks.cluster")) is Outcome.WORSE
    before = result({"psnr_easy": 36}, command="python -m benchmarks.fit a")
    assert outcome("fit", before, result({"psnr_easy": 9}, command="python -m benchmarks.fit b")) is (
        Outcome.OTHER_COMMAND
    )
    moved = result({"raster_256_ms": 10}, command="python -m benchmarks.raster")  # a name of before there were rooms
    assert outcome("raster", moved, result({"raster_256_ms": 10})) is Outcome.SAME


def test_a_count_and_a_peer_are_not_judged():
    assert outcome("fit", result({"cpu_s_objects_10k": 5}), result({"cpu_s_objects_10k": 50})) is Outcome.NO_DIRECTION


def test_what_is_not_a_number_is_worse():
    assert outcome("fit", result({"psnr_easy": 36}), result({"psnr_easy": math.nan})) is Outcome.WORSE


def test_each_part_has_its_own_machine():
    before = result({"raster_256_ms": 10, "loss_l1_ssim_256_ms": 10}, limit=0.3)
    now = {
        "parts": {
            "a": {**result({}, "b", limit=0.6), "keys": ["raster_256_ms"]},
            "b": {**result({}, "c"), "keys": ["loss_l1_ssim_256_ms"]},
        },
        "figures": {"raster_256_ms": 20, "loss_l1_ssim_256_ms": 20},
    }
    assert [verdict.outcome for verdict in compare_results("raster", before, now)] == [
        Outcome.SAME,
        Outcome.OTHER_MACHINE,
    ]


def test_every_result_has_a_figure_that_is_judged():
    for path in RESULTS.glob("*.json"):
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        assert any(rule_of(path.stem, key) for key in figures), path.name
