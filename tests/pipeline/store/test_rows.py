"""Rows to Arrow and back, and their fingerprints."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.store.rows import fingerprint, rows_from_table, table_from_rows
from pipeline.store.schema import IMAGES, TIMING_COLUMNS, flat, nested

SCHEMA = pa.schema(
    [
        ("uid", pa.string()),
        flat("points", pa.float32(), 3),
        nested("cameras", pa.float64()),
        ("tags", pa.list_(pa.string())),
        ("images", IMAGES),
        ("render_seconds", pa.float32()),
    ]
)
ROW = {
    "uid": "a",
    "points": np.arange(6, dtype=np.float32).reshape(2, 3),
    "cameras": np.eye(4),
    "tags": ["x", "y"],
    "images": [{"bytes": b"123", "path": None}],
    "render_seconds": 1.5,
}


def there_and_back(row: dict) -> dict:
    return rows_from_table(table_from_rows([row], SCHEMA))[0]


def test_arrays_keep_shape_and_values():
    row = there_and_back(ROW)
    np.testing.assert_equal(row, ROW)
    row["points"][0] = 7  # a copy: the reader may change it


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.just(3)), elements=st.floats(width=32)))
def test_any_array_survives(points):
    np.testing.assert_equal(there_and_back(ROW | {"points": points})["points"], points)


def test_missing_values_stay_missing():
    empty = dict.fromkeys(SCHEMA.names) | {"uid": "a"}
    assert there_and_back(empty) == empty


def test_names_that_are_no_text_are_kept_readable():
    row = there_and_back(ROW | {"tags": ["caf\udce9", "\ud800"], "uid": "plain"})
    assert row["tags"] == ["caf\ufffd", "\ufffd"]
    assert row["uid"] == "plain"


def test_wrong_columns_are_named():
    with pytest.raises(KeyError, match=r"object a: missing columns \['tags'\], unknown columns \['tag'\]"):
        table_from_rows([{name: value for name, value in ROW.items() if name != "tags"} | {"tag": []}], SCHEMA)


def test_fingerprints_tell_values_apart_but_not_seconds():
    row = there_and_back(ROW)
    assert "render_seconds" in TIMING_COLUMNS
    assert fingerprint(row) == fingerprint(there_and_back(ROW | {"render_seconds": 99.0}))
    assert fingerprint(row) == fingerprint(there_and_back(ROW | {"points": ROW["points"].astype(np.float64)}))
    others = [
        {"uid": "b"},
        {"tags": ["xy"]},
        {"tags": ["x", "y", ""]},
        {"points": ROW["points"] + 1},
        {"points": ROW["points"][:1]},
        {"images": [{"bytes": b"124", "path": None}]},
        {"images": []},
        {"cameras": None},
    ]
    assert len({fingerprint(there_and_back(ROW | other)) for other in others} | {fingerprint(row)}) == len(others) + 1
