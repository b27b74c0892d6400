"""The form of a CSV file that holds what others know: its delimiter, its header, the types of its values."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.assets.tables.sql import quoted, sql_text
from pipeline.assets.tables.table_keys import is_key, looks_like_key
from pipeline.base.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_LINE = 16_000_000  # bytes
_HEAD = 1 << 20  # characters that are looked at
# Neither 007 nor 20 digits is a number: text keeps them as they are.
_INTEGER = r"\s*-?(0|[1-9][0-9]{0,17})\s*"
_NUMBER = r"\s*-?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*|[nN][aA][nN]|-?inf"


def csv_call(file: Path) -> str:
    """The SQL that reads a file, every value as text.

    The first row is no header if it begins with a key and names no column of keys. The columns are then `uid` and, of
    two, `caption`.

    Raises:
        ConfigError: the file is empty.
    """
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        delimiter, cells = _first_row(text.read(_HEAD))
    header = any(map(is_key, cells)) or not looks_like_key(cells[0])
    if not header:
        others = ["caption"] if len(cells) == 2 else [f"column_{place}" for place in range(2, len(cells) + 1)]
        cells = ["uid", *others]
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        names.append(_unused(cell.strip() or f"column_{place}", names))
    columns = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({sql_text(str(file))}, auto_detect = false, header = {str(header).lower()}, "
        f"columns = {{{columns}}}, delim = {sql_text(delimiter)}, quote = '\"', escape = '\"', "
        f"max_line_size = {MAX_LINE})"
    )


def with_numbers(connection: "DuckDBPyConnection", table: str) -> str:
    """The SQL of a table of texts, with those columns as numbers that hold nothing else; keys stay text."""
    names = connection.table(table).columns
    tests = ", ".join(
        f"bool_and(regexp_full_match({quoted(name)}, {sql_text(form)}))"
        for name in names
        for form in (_INTEGER, _NUMBER)
    )
    answers = iter(connection.execute(f"SELECT {tests} FROM {table}").fetchall()[0])
    columns = []
    for name, integer, number in zip(names, answers, answers, strict=True):
        kind = "BIGINT" if integer else "DOUBLE" if number else "VARCHAR"
        columns.append(f"CAST({quoted(name)} AS {'VARCHAR' if is_key(name) else kind}) AS {quoted(name)}")
    return f"SELECT {', '.join(columns)} FROM {table}"


def _first_row(head: str) -> tuple[str, list[str]]:
    """The delimiter by which the first row has a key or names a column of keys, and that row."""
    rows = {delimiter: next(csv.reader(io.StringIO(head), delimiter=delimiter), []) for delimiter in ",\t;|"}
    for delimiter, cells in rows.items():
        if len(cells) > 1 and (any(map(is_key, cells)) or looks_like_key(cells[0])):
            return delimiter, cells
    widest = max(rows, key=lambda delimiter: len(rows[delimiter]))
    if not rows[widest]:
        raise ConfigError("it is empty")
    return widest, rows[widest]


def _unused(name: str, taken: list[str]) -> str:
    """`name`, or with the first number that makes it another than `taken`, whatever the case."""
    number, unused = 1, name
    while unused.casefold() in map(str.casefold, taken):
        number += 1
        unused = f"{name}_{number}"
    return unused
