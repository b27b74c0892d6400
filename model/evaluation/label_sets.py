"""The classes of zero-shot classification: a published set, a file, or whatever values a corpus has."""

import gzip
import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from pipeline.base.errors import ConfigError


def label_set(name: str) -> list[str]:
    """Class names of a published set (model/labels/NAME.json) or of a JSON file (.json or .json.gz) of one's own.

    The file holds a list of names, or an object whose keys are the names, as Objaverse's `lvis-annotations.json.gz`
    with its 1,156 classes.

    Raises:
        ConfigError: no such set or file, or fewer than two names in it.
    """
    folder = files("model").joinpath("labels")
    own = name.endswith((".json", ".json.gz"))
    known = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir())
    if not own and name not in known:
        raise ConfigError(f"no label set {name!r}; there are: {', '.join(known)}, or name a .json file")
    try:
        content = Path(name).read_bytes() if own else folder.joinpath(f"{name}.json").read_bytes()
        labels = json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"cannot read label set {name}: {error}") from error
    labels = list(labels) if isinstance(labels, dict | list) else []
    if len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ConfigError(f"label set {name} is not a list of at least two names")
    return labels


def classes_of(labels: Iterable[str]) -> list[str]:
    """The different labels that occur, sorted, in the spelling that sorts first; unlabelled objects ("") have none."""
    spellings: dict[str, str] = {}
    for label in sorted(set(labels) - {""}):
        spellings.setdefault(class_key(label), label)
    return list(spellings.values())


def class_key(label: str) -> str:
    """Labels that differ in case, hyphens or underscores alone are one class."""
    return " ".join(label.lower().replace("_", " ").replace("-", " ").split())
