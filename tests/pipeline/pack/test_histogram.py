import numpy as np

from pipeline.pack.histogram import BAR, BINS, figure, histogram


def rows(text: str) -> list[tuple[str, str, int]]:
    """Bounds and count of every bin."""
    cells = [line.split() for line in text.splitlines()]
    return [(line[0], line[2], int(line[-1].replace(",", ""))) for line in cells]


def test_every_value_is_in_one_bin_of_round_bounds():
    values = np.random.default_rng(0).normal(35, 4, 2000)
    bins = rows(histogram(values))
    assert sum(count for _, _, count in bins) == 2000
    assert 5 < len(bins) <= BINS + 1
    for low, high, count in bins:
        assert float(low) == round(float(low)) and float(high) - float(low) in (1, 2, 5)
        assert count == ((values >= float(low)) & (values < float(high))).sum()


def test_the_highest_value_is_in_the_last_bin():
    assert rows(histogram([0.81, 0.93, 1.00001]))[-1] == ("0.98", "1", 1)


def test_the_longest_bar_is_the_fullest_bin_and_one_value_is_seen():
    text = histogram([1] * 1000 + [5])
    assert text.splitlines()[0].count("█") == BAR
    assert "▏" in text.splitlines()[-1]


def test_values_that_are_all_alike_or_no_numbers():
    assert [count for _, _, count in rows(histogram([20000] * 7))] == [7]
    assert histogram([1.0, float("inf"), float("nan")]).splitlines()[1:] == ["infinite: 1", "no number: 1"]
    assert histogram([float("inf")]) == "infinite: 1"


def test_figures_are_as_people_write_them():
    assert [figure(value) for value in (20000.0, 0.12345, 33.0, 1e-5)] == ["20,000", "0.1235", "33", "1e-05"]
