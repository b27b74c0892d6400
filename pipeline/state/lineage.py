"""Which settings made a table: the stage's own and those of all stages upstream of it."""

from collections.abc import Mapping
from typing import Any

from pipeline.stages.config import Config
from pipeline.stages.entries import ShardStageEntry


def upstream(stage: str, stages: Mapping[str, ShardStageEntry]) -> list[str]:
    """`stage` and the shard stages whose tables it uses, directly or not, in the registry's order."""
    makers = {entry.writes: name for name, entry in stages.items()}
    needed, queue = set(), [stage]
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            queue += [makers[table] for table in stages[name].reads if table in makers]
    return [name for name in stages if name in needed]


def stage_content(stage: str, config: Config, stages: Mapping[str, ShardStageEntry]) -> dict[str, dict[str, Any]]:
    """The settings that decide what `stage` writes, by section: a change upstream changes them too."""
    return {name: getattr(config, name).content() for name in upstream(stage, stages)}


def with_defaults(content: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """An older content with the fields that have come since, at their defaults.

    So that a newer version takes up a corpus of an older one, the default of a new field must do what was done before.
    """
    defaults = Config()
    return {
        name: getattr(defaults, name).content() | fields if name in Config.model_fields else fields
        for name, fields in content.items()
    }


def differences(old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> str:
    """The fields in which two contents differ, as `fit.iterations: 300 there, 500 now`; empty if they are equal."""
    there, now = _flat(old), _flat(new)
    missing = "(none)"
    return ", ".join(
        f"{key}: {there.get(key, missing)!r} there, {now.get(key, missing)!r} now"
        for key in sorted(there.keys() | now.keys())
        if there.get(key, missing) != now.get(key, missing)
    )


def _flat(content: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {f"{section}.{name}": value for section, fields in content.items() for name, value in fields.items()}
