"""Tables sorted by uid: in memory and through files, with the same result."""

import random

import pyarrow as pa
import pytest

from pipeline.store.uid_order import ordered_by_uid, regrouped


def tables(uids: list[str], rows: int = 100) -> list[pa.Table]:
    """The uids with their places, a few rows at a time."""
    whole = pa.table({"uid": uids, "place": range(len(uids)), "tags": [[uid, "x"] for uid in uids]})
    return [whole.slice(start, rows) for start in range(0, len(uids), rows)]


def shuffled(count: int, times: int = 1) -> list[str]:
    uids = [f"{'é' if i % 7 == 0 else 'a'}{i * 7919 % count:06d}" for i in range(count)] * times
    random.Random(0).shuffle(uids)
    return uids


@pytest.mark.parametrize("run_bytes", [1 << 30, 100_000, 20_000, 1])
@pytest.mark.parametrize("times", [1, 3])
def test_rows_come_in_order_and_the_first_of_each_stays(tmp_path, run_bytes, times):
    uids = shuffled(7000, times)
    repeated: list[int] = []

    def note(rows: pa.Table) -> None:
        repeated.extend(rows.column("place").to_pylist())

    pieces = list(ordered_by_uid(tables(uids), tmp_path / "runs", note, run_bytes))
    first: dict[str, int] = {}
    for place, uid in enumerate(uids):
        first.setdefault(uid, place)
    found = pa.concat_tables(pieces)
    assert found.column("uid").to_pylist() == sorted(first)
    assert found.column("place").to_pylist() == [first[uid] for uid in sorted(first)]
    assert found.column("tags").to_pylist() == [[uid, "x"] for uid in sorted(first)]
    assert sorted(repeated) == sorted(set(range(len(uids))) - set(first.values()))
    assert (tmp_path / "runs").exists() == (run_bytes < 1 << 30)


def test_pieces_are_of_about_a_runs_size(tmp_path):
    parts = tables(shuffled(50_000), rows=1000)
    size = sum(part.nbytes for part in parts)
    pieces = list(ordered_by_uid(parts, tmp_path, lambda rows: None, run_bytes=size // 5))
    assert len(pieces) >= 5 and max(piece.nbytes for piece in pieces) < size / 2


def test_no_more_than_some_runs_are_in_memory(tmp_path):
    def parts():
        for start in range(0, 40_000, 400):
            uids = [f"{number * 7919 % 40_000:06d}" for number in range(start, start + 400)]
            yield pa.table({"uid": uids, "text": [f"{uid}" * 200 for uid in uids]})

    before, peak = pa.total_allocated_bytes(), 0
    for piece in ordered_by_uid(parts(), tmp_path, lambda rows: None, run_bytes=1_000_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
        assert piece.num_rows < 4000
    assert peak < 16_000_000  # of 48 MB


def test_one_uid_a_thousand_times_is_one_row(tmp_path):
    repeated: list[int] = []
    order = ordered_by_uid(tables(["a"] * 1000), tmp_path, lambda rows: repeated.append(rows.num_rows), run_bytes=2000)
    assert pa.concat_tables(order).column("place").to_pylist() == [0]
    assert sum(repeated) == 999


def test_nothing_gives_nothing(tmp_path):
    assert list(ordered_by_uid([], tmp_path, lambda rows: None)) == []


@pytest.mark.parametrize("sizes", [[], [3], [10], [4, 4, 4], [25, 1], [1] * 11])
def test_rows_are_regrouped(sizes):
    numbers = iter(range(100))
    parts = [pa.table({"n": [next(numbers) for _ in range(size)]}) for size in sizes]
    groups = [group.column("n").to_pylist() for group in regrouped(parts, 10)]
    assert sum(groups, []) == list(range(sum(sizes)))
    assert all(len(group) == 10 for group in groups[:-1]) and all(0 < len(group) <= 10 for group in groups)
