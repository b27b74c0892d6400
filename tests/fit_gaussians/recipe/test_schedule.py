import pytest
import torch

from fit_gaussians.recipe.schedule import Schedule


def run(schedule: Schedule, losses) -> list[float]:
    """The progress before each step."""
    progress = []
    for loss in losses:
        if schedule.done:
            break
        progress.append(schedule.progress)
        schedule.step(torch.tensor(float(loss)))
    return progress


def test_without_early_stop_all_iterations_are_made():
    schedule = Schedule(100, views=5, min_gain=0)
    progress = run(schedule, [1.0] * 1000)
    assert schedule.steps == 100
    assert progress[0] == 0 and progress[50] == pytest.approx(0.5)


def test_a_falling_loss_goes_on():
    schedule = Schedule(100, views=5, min_gain=0.02)
    run(schedule, [0.97 ** (i // 5) for i in range(1000)])
    assert schedule.steps == 100


def test_a_plateau_ends_with_one_pass_that_decays_the_rates():
    schedule = Schedule(100, views=5, min_gain=0.02)
    progress = run(schedule, [10, 8, 6, 4, 2] + [3] * 1000)  # the second pass is better, the third and fourth are not
    assert schedule.steps == 25
    assert progress[20] == pytest.approx(0.2)
    assert progress[-1] == pytest.approx(1 - (1 - 0.2) / 5)


def test_one_poor_pass_is_taken_for_noise():
    schedule = Schedule(100, views=5, min_gain=0.02)
    run(schedule, [3] * 5 + [3.1] * 5 + [2] * 5 + [2.1] * 5 + [1] * 80)
    assert schedule.steps > 25


def test_the_last_pass_is_not_cut_short_or_lengthened():
    schedule = Schedule(12, views=5, min_gain=0.02)
    run(schedule, [1.0] * 1000)
    assert schedule.steps == 12


def test_no_iterations():
    assert Schedule(0, views=5, min_gain=0).done
