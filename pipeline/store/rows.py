"""Rows (flat dictionaries with numpy arrays) to Arrow tables and back, by the table's schema.

In a row a `flat(…, k)` column is an array `[N, k]` (`[N]` for k = 1), a `nested` column an array `[V, D]`, any other
list of numbers an array `[N]`; lists of strings and structs are Python lists.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.store.schema import ADDED_COLUMNS, TABLES, TIMING_COLUMNS

Row = dict[str, Any]
_SURROGATE = re.compile("[\ud800-\udfff]")


def table_from_rows(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Arrow table of `rows`.

    Raises:
        KeyError: a row lacks a column of the schema or has one that it does not know.
        pyarrow.ArrowInvalid: a value does not fit its column.
    """
    rows, names = list(rows), set(schema.names)
    for row in rows:
        if row.keys() != names:
            missing, unknown = names - row.keys(), row.keys() - names
            raise KeyError(
                f"object {row.get('uid')}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}"
            )
    columns = [_column([row[field.name] for row in rows], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def rows_from_table(table: pa.Table) -> list[Row]:
    """The table's rows; arrays are copies, safe to change."""
    columns = {field.name: _values(table.column(field.name).combine_chunks(), field) for field in table.schema}
    return [{name: values[i] for name, values in columns.items()} for i in range(table.num_rows)]


def with_added(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table, with those of `names` as null that have come to the schema since the file was written."""
    for name in names:
        if name in ADDED_COLUMNS and name not in table.column_names:
            field = next(schema.field(name) for schema in TABLES.values() if name in schema.names)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def missing_colors(row: Row) -> list[str]:
    """Textures without which an object of the assets table lacks colours; in older corpora all that are missing."""
    named = row.get("missing_colors")
    return list(row["missing_textures"] or () if named is None else named)


def fingerprint(row: Row) -> str:
    """16 hex digits of a row as `rows_from_table` gives it, without its wall-clock columns.

    Two runs that made the same row give the same fingerprint, whatever the machine or the executor.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(row.keys() - TIMING_COLUMNS):
        digest.update(name.encode())
        _update(digest, row[name])
    return digest.hexdigest()


def _update(digest: "hashlib.blake2b", value: Any) -> None:
    """Feed one value, with its type and length, so that different values never give the same bytes."""
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, (list, tuple)):
        digest.update(f"list {len(value)} ".encode())
        for item in value:
            _update(digest, item)
    elif isinstance(value, dict):
        digest.update(f"dict {len(value)} ".encode())
        for key in sorted(value):
            _update(digest, key)
            _update(digest, value[key])
    else:
        content = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(f"{type(value).__name__} {len(content)} ".encode())
        digest.update(content)


def _is_number_list(data_type: pa.DataType) -> bool:
    if not pa.types.is_list(data_type):
        return False
    return bool(pa.types.is_integer(data_type.value_type) or pa.types.is_floating(data_type.value_type))


def _is_nested_number_list(data_type: pa.DataType) -> bool:
    return pa.types.is_list(data_type) and _is_number_list(data_type.value_type)


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    if _is_number_list(field.type):
        dtype = field.type.value_type.to_pandas_dtype()
        arrays = [None if value is None else np.asarray(value, dtype).reshape(-1) for value in values]
        return pa.array(arrays, type=field.type)
    if _is_nested_number_list(field.type):
        dtype = field.type.value_type.value_type.to_pandas_dtype()
        lists = [None if value is None else list(np.asarray(value, dtype)) for value in values]
        return pa.array(lists, type=field.type)
    try:
        return pa.array(values, type=field.type)
    except UnicodeEncodeError:
        return pa.array([_as_text(value) for value in values], type=field.type)


def _as_text(value: Any) -> Any:
    """Lone surrogates, as in file names that are no text, fit no table: they become replacement marks."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    return [_as_text(item) for item in value] if isinstance(value, list) else value


def _values(column: pa.Array, field: pa.Field) -> list[Any]:
    if _is_number_list(field.type):
        width = int((field.metadata or {}).get(b"width", b"1"))
        return [_flat_array(scalar, width) for scalar in column]
    if _is_nested_number_list(field.type):
        return [_nested_array(scalar) for scalar in column]
    values: list[Any] = column.to_pylist()
    return values


def _flat_array(scalar: pa.ListScalar, width: int) -> np.ndarray | None:
    if not scalar.is_valid:
        return None
    array: np.ndarray = scalar.values.to_numpy(zero_copy_only=False).copy()
    return array if width == 1 else array.reshape(-1, width)


def _nested_array(scalar: pa.ListScalar) -> np.ndarray | None:
    if not scalar.is_valid:
        return None
    lists = scalar.values
    array: np.ndarray = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1).copy()
    return array
