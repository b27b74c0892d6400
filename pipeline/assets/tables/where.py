"""What `assets.where` may say: one SQL expression over the columns of an object, the same every time."""

import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pipeline.assets.tables.sql import one_line
from pipeline.base.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Parts of an expression, as DuckDB's parser calls them. Not among them: subqueries, windows, parameters, stars.
_PARTS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA"}
    | {"OPERATOR", "TYPE"}
)
_CLOCK = re.compile(r"now|today|transaction_timestamp|(get_)?current_\w+|localtime(stamp)?")


def check_where(connection: "DuckDBPyConnection", expression: str, view: str, columns: Sequence[str]) -> None:
    """Raise a ConfigError unless the expression is one over `columns` that is true or false, and every time the same.

    Args:
        view: a table with these columns, which may be empty.
    """
    import duckdb

    for part in _parts(connection, expression):
        kind = part["class"]
        if kind not in _PARTS:
            raise ConfigError(f"assets.where: it must be one expression over columns, and holds a {kind.lower()}")
        name = part.get("function_name") or "".join(part.get("column_names", ()))  # current_date needs no brackets
        if name not in columns and (_CLOCK.fullmatch(name) or name in _volatile(connection)):
            raise ConfigError(f"assets.where: {name} is another each time, so that no plan could be made again")
    try:
        kind = str(connection.sql(f"SELECT ({expression}\n) FROM {view}").types[0])
    except duckdb.Error as error:
        unknown = re.search(r'column "([^"]+)" not found|does not have a column named "([^"]+)"', str(error))
        if unknown:
            raise ConfigError(_no_column(unknown[1] or unknown[2], columns)) from error
        raise ConfigError(f"assets.where: {one_line(error)}") from error
    if kind != "BOOLEAN":
        raise ConfigError(f"assets.where: the expression gives {kind.lower()}, not true or false")


def _parts(connection: "DuckDBPyConnection", expression: str) -> Iterator[dict[str, Any]]:
    """The parts of the expression, those inside others too."""
    for text in (
        f"SELECT {expression}",
        f"SELECT ({expression}\n)",
    ):  # no bracket closes more than the expression opens
        tree = _tree(connection, text)
        if tree["error"] and tree["error_type"] == "parser":
            raise ConfigError(f"assets.where: it is not an SQL expression: {' '.join(tree['error_message'].split())}")
        statements = [statement["node"] for statement in tree.get("statements", ())]
        if len(statements) != 1 or not _is_alone(select := statements[0]):
            raise ConfigError("assets.where: it must be one expression, not a statement or several")
    yield from _below(select["select_list"])


def _is_alone(select: dict[str, Any]) -> bool:
    """Whether a SELECT consists of one expression and nothing else."""
    others = ("where_clause", "group_expressions", "modifiers", "having", "qualify", "sample")
    one = len(select.get("select_list", ())) == 1 and select["from_table"]["type"] == "EMPTY"
    return one and not any(select.get(key) for key in others)


def _tree(connection: "DuckDBPyConnection", text: str) -> dict[str, Any]:
    """What DuckDB's parser makes of a text."""
    import duckdb

    try:
        serialized = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
        tree: dict[str, Any] = json.loads(serialized)
    except RecursionError as error:
        raise ConfigError("assets.where: the expression is nested too deeply") from error
    except duckdb.Error as error:
        raise ConfigError(f"assets.where: {one_line(error)}") from error
    return tree


def _below(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _volatile(connection: "DuckDBPyConnection") -> set[str]:
    query = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    return {row[0] for row in connection.execute(query).fetchall()}


def _no_column(name: str, columns: Sequence[str]) -> str:
    close = get_close_matches(name.casefold(), columns, n=3, cutoff=0.5)
    there = f"close ones: {', '.join(close)}" if close else f"there are: {', '.join(columns)}"
    return f"assets.where: there is no column {name!r}; {there}"
