r"""Java's `.properties` text (java.util.Properties.load): latin-1, `key = value`, `\uXXXX`, `\` at a line's end."""

import re

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
# The key ends at the first unescaped separator; `=` or `:` may stand among the blanks after it.
_ENTRY = re.compile(r"((?:\\.|[^\\\s=:])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)


def parse_properties(data: bytes) -> dict[str, str]:
    """The entries of a file; a key that comes twice keeps its last value."""
    entries = {}
    for line in _logical_lines(data.decode("latin-1")):
        if entry := _ENTRY.match(line):  # always: each part of it may be empty
            entries[_unescape(entry[1])] = _unescape(entry[2])
    return entries


def _logical_lines(text: str) -> list[str]:
    lines: list[str] = []
    goes_on = False
    for natural in re.split(r"\r\n|\r|\n", text):
        line = natural.lstrip(" \t\f")
        if not goes_on and (not line or line[0] in "#!"):
            continue
        backslashes = len(line) - len(line.rstrip("\\"))
        content = line[:-1] if backslashes % 2 else line
        if goes_on:
            lines[-1] += content
        else:
            lines.append(content)
        goes_on = backslashes % 2 == 1
    return lines


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _CONTROL.get(code, code)

    # Characters beyond 16 bits are written as two surrogates.
    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
