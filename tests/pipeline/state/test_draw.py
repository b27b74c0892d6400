"""The draw of a few objects out of many."""

import pyarrow as pa
import pytest

from pipeline.state import draw
from pipeline.state.draw import drawn, hash_of


@pytest.mark.parametrize("limit", [1, 40, 500, 5000])
def test_the_smallest_hashes_are_drawn_in_their_order(monkeypatch, limit):
    monkeypatch.setattr(draw, "_FRESH_ROWS", 50)
    uids = [f"object-{i % 900}" for i in range(1000)]  # a hundred of them twice
    whole = pa.table({"uid": uids, "place": range(1000)})
    found = pa.concat_tables(drawn((whole.slice(start, 30) for start in range(0, 1000, 30)), limit))
    chosen = set(sorted(set(uids), key=hash_of)[:limit])
    assert found.column_names == ["uid", "place"]
    assert found.column("place").to_pylist() == [place for place, uid in enumerate(uids) if uid in chosen]


def test_no_more_is_held_than_is_drawn(monkeypatch):
    monkeypatch.setattr(draw, "_FRESH_ROWS", 100)
    alive = []

    def tables():
        for start in range(0, 20_000, 100):
            alive.append(pa.total_allocated_bytes())
            yield pa.table({"uid": [f"{number}" for number in range(start, start + 100)], "text": ["x" * 1000] * 100})

    before = pa.total_allocated_bytes()
    assert sum(table.num_rows for table in drawn(tables(), 200)) == 200
    assert max(alive) - before < 1_500_000  # of 20 MB


def test_nothing_is_drawn_of_nothing():
    assert list(drawn([], 5)) == []
