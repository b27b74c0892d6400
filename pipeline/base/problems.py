"""What is wrong with a value of a config, in words: pydantic's findings, for people who have not met pydantic."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

MAX_SHOWN = 60  # characters of a value
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "model": "a section with settings of its own",
}


def first_problem(error: ValidationError, root: type[BaseModel]) -> tuple[str, str]:
    """The key of the first value that was refused (`fit.iterations`; empty: the whole), and what is wrong with it.

    Args:
        root: the model that was validated.
    """
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    return ".".join(path), _problem(first, path, root)


def _problem(first: Any, path: list[str], root: type[BaseModel]) -> str:
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        return "there is no such setting" + _perhaps(path, root)
    if kind == "value_error":
        return str(first["msg"]).removeprefix("Value error, ")
    shown = _shown(first["input"])
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"it must be {words} {context[bound]:g}, not {shown}"
    if kind == "literal_error":
        return f"it must be one of {context['expected'].replace(chr(39), '')}, not {shown}"
    wanted = _KINDS.get(kind.split("_")[0])
    return f"it must be {wanted}, not {shown}" if wanted else str(first["msg"])


def _perhaps(path: list[str], root: type[BaseModel]) -> str:
    """The setting that was meant, if one looks like it: beside the wrong one, or in another section."""
    known = dict(_settings(root))
    meant = get_close_matches(".".join(path), known, n=1, cutoff=0.75)
    meant = meant or [key for key in known if key.rpartition(".")[2] == path[-1]]
    return f"; perhaps you meant {meant[0]}" if meant else ""


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting below a model, with its section: `fit.iterations`."""
    for name, field in model.model_fields.items():
        yield prefix + name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, f"{prefix}{name}.")


def _shown(value: Any) -> str:
    text = "a section" if isinstance(value, dict) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
