"""Texts and names inside SQL, and what DuckDB says of it."""

import re


def sql_text(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def one_line(error: Exception) -> str:
    """DuckDB's message without its advice and the picture of the statement."""
    return " ".join(re.split(r"\n\s*\n|\n?LINE \d|Possible ", str(error))[0].split())[:300]
