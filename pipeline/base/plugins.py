"""What installed packages add to this one, found by their entry points (docs/extend.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic_core import PydanticCustomError

from pipeline.base.errors import ConfigError
from pipeline.base.version import PACKAGE


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed package."""

    kind: str  # stage, asset source, captioner or encoder
    point: EntryPoint

    @property
    def package(self) -> str:
        return self.point.dist.name if self.point.dist else "(unknown)"

    def load(self) -> Any:
        """The object that the entry point names.

        Raises:
            ConfigError: it cannot be imported, whatever the reason.
        """
        try:
            return self.point.load()
        except Exception as error:
            raise self.error(f"cannot be loaded: {type(error).__name__}: {error}") from error

    def error(self, problem: str) -> ConfigError:
        """An error that names the package and the entry point."""
        return ConfigError(f"package {self.package}: {self.kind} {self.point.name} ({self.point.value}) {problem}")


def plugins(kind: str, ours: Iterable[str]) -> dict[str, Plugin]:
    """What installed packages add of one kind, by name and in the order of the names. Nothing of it is imported.

    Args:
        kind: stage, asset source, captioner or encoder; the entry points are in the group `clip_gs.stages` and so on.
        ours: names that are taken.

    Raises:
        ConfigError: a name is taken, by us or by another package.
    """
    found: dict[str, Plugin] = {}
    owners = dict.fromkeys(ours, PACKAGE)
    for point in sorted(entry_points(group=f"clip_gs.{kind.replace(' ', '_')}s"), key=lambda point: point.name):
        plugin = Plugin(kind, point)
        if point.name in owners:
            raise plugin.error(f"has a name that is taken by package {owners[point.name]}: one of them must go")
        found[point.name], owners[point.name] = plugin, plugin.package
    return found


def check_name(kind: str, ours: Iterable[str], name: str) -> str:
    """The name itself, for a field of the config: pydantic refuses one that nothing has. Nothing is imported.

    Raises:
        PydanticCustomError: nothing has this name.
        ConfigError: what a package adds clashes.
    """
    names = (*ours, *plugins(kind, ours))
    if name not in names:
        raise PydanticCustomError("unknown_name", "{problem}", {"problem": _unknown(kind, name, names)})
    return name


def load(kind: str, name: str, ours: Mapping[str, str], key: str = "") -> Any:
    """An asset source, captioner or encoder by its name; only then is it imported.

    Args:
        ours: where our own are, as `module` or `module:attribute`.
        key: of the config, which gave a name that has not been checked.

    Raises:
        ConfigError: nothing has this name, or what a package adds clashes or cannot be loaded.
    """
    added = plugins(kind, ours)
    if name in added:
        return added[name].load()
    if name not in ours:
        raise ConfigError(": ".join(filter(None, (key, _unknown(kind, name, (*ours, *added))))))
    module, _, attribute = ours[name].partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def _unknown(kind: str, name: str, names: Iterable[str]) -> str:
    return f"there is no {kind} {name!r}; there are: {', '.join(names)}"
