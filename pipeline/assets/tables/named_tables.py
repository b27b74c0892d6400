"""Which tables `assets.annotations` names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.assets.fetch.addresses import without_secrets
from pipeline.assets.tables.known_tables import KNOWN_TABLES, KnownTable
from pipeline.base.errors import ConfigError

_NAME = re.compile(r"([A-Za-z0-9_+-]+):(?!//|:)(.*)", re.DOTALL)  # not the protocol of an address


@dataclass(frozen=True)
class NamedTable:
    """A table that the setting names: one file, or several of one known name."""

    name: str  # unique
    known: KnownTable | None
    addresses: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Where it lies, fit to be printed."""
        return ",".join(map(without_secrets, self.addresses))


def named_tables(setting: str) -> list[NamedTable]:
    """The tables of `assets.annotations`, in order.

    Raises:
        ConfigError: a name is not known.
    """
    found: dict[str, NamedTable] = {}
    for part in (part.strip() for part in setting.split(",")):
        named = _NAME.fullmatch(part)
        if named:
            name, address = named[1].casefold(), named[2].strip()
            if name not in KNOWN_TABLES:
                raise ConfigError(
                    f"assets.annotations: no table is known as {name!r}; known: {', '.join(KNOWN_TABLES)}"
                )
            before = found[name].addresses if name in found else ()
            found[name] = NamedTable(name, KNOWN_TABLES[name], (*before, address))
        elif part:
            stem = PurePosixPath(without_secrets(part)).name.partition(".")[0]
            name = _unused(re.sub(r"\W+", "_", stem.casefold()).strip("_") or "table", found)
            found[name] = NamedTable(name, None, (part,))
    return list(found.values())


def _unused(name: str, taken: Iterable[str]) -> str:
    """`name`, or with the first number that makes it another than `taken`."""
    number, unused = 1, name
    while unused in taken or unused in KNOWN_TABLES:
        number += 1
        unused = f"{name}_{number}"
    return unused
