"""The stages, in order: ours, and those that installed packages add (docs/add-a-stage.md, docs/extend.md).

An entry repeats the tables that its class names, so that `--status` and `--plan` know how the stages hang together
without importing any of them; its `load` checks that both say the same.
"""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import BaseModel

from pipeline.base.errors import ConfigError
from pipeline.base.plugins import Plugin, plugins
from pipeline.base.settings import Section
from pipeline.stages.entries import CorpusStageEntry, ShardStageEntry, StageEntry
from pipeline.store.schema import TABLES

_SHARD_ENTRIES = (
    ShardStageEntry("assets", "pipeline.assets.stage:AssetsStage", reads=("index",), writes="assets"),
    ShardStageEntry("render", "render.stage:RenderStage", reads=("assets",), writes="views", extra="render"),
    ShardStageEntry("fit", "fit_gaussians.stage:FitStage", reads=("views",), writes="gaussians", extra="fit"),
    ShardStageEntry(
        "caption", "caption.stage:CaptionStage", reads=("assets", "views"), writes="captions", extra="caption"
    ),
    ShardStageEntry(
        "embed", "caption.embed_stage:EmbedStage", reads=("views", "captions"), writes="embeddings", extra="caption"
    ),
)
_SHARD_NAMES = tuple(entry.name for entry in _SHARD_ENTRIES)
_CORPUS_ENTRIES = (
    CorpusStageEntry("pack", "pipeline.pack.stage:PackStage", after=_SHARD_NAMES),
    CorpusStageEntry("train", "model.stage:TrainStage", after=("pack",), extra="train"),
    CorpusStageEntry("evaluate", "model.stage:EvaluateStage", after=("train",), extra="train"),
    CorpusStageEntry("report", "pipeline.report.stage:ReportStage", after=(*_SHARD_NAMES, "pack", "train", "evaluate")),
)
SHARD_STAGES: dict[str, ShardStageEntry] = {entry.name: entry for entry in _SHARD_ENTRIES}
CORPUS_STAGES: dict[str, CorpusStageEntry] = {entry.name: entry for entry in _CORPUS_ENTRIES}
ADDED_SECTIONS: dict[str, type[Section]] = {}  # of the config, by stage


def _add_stages() -> ConfigError | None:
    """Take in what installed packages add, after all that it uses; gives what is wrong with one of them."""
    try:
        waiting = list(_added_entries())
        while waiting:
            plugin, entry = next((item for item in waiting if not _lacks(item[1])), waiting[0])
            if lacks := _lacks(entry):
                raise plugin.error(f"uses {', '.join(lacks)}, which is not there")
            waiting.remove((plugin, entry))
            _add(plugin, entry)
    except ConfigError as error:
        return error
    return None


def _added_entries() -> Iterator[tuple[Plugin, StageEntry]]:
    for plugin in plugins("stage", (*SHARD_STAGES, *CORPUS_STAGES, "all")).values():
        entry = plugin.load()
        if not isinstance(entry, StageEntry) or entry.name != plugin.point.name:
            raise plugin.error("is no ShardStageEntry or CorpusStageEntry of this name (pipeline.stages.entries)")
        if entry.section is None or any(field.is_required() for field in entry.section.model_fields.values()):
            raise plugin.error("has no section of the config whose fields all have defaults")
        if not entry.name.isidentifier() or hasattr(BaseModel, entry.name):
            raise plugin.error("has a name that no section of the config can have")
        yield plugin, replace(entry, package=plugin.package)


def _lacks(entry: StageEntry) -> list[str]:
    """The tables or stages that an entry uses and that are not there (yet)."""
    if isinstance(entry, ShardStageEntry):
        return [f"table {table}" for table in entry.reads if table not in TABLES]
    return [f"stage {stage}" for stage in entry.after if stage not in SHARD_STAGES and stage not in CORPUS_STAGES]


def _add(plugin: Plugin, entry: StageEntry) -> None:
    if isinstance(entry, ShardStageEntry):
        if entry.schema is None or "uid" not in entry.schema.names:
            raise plugin.error("has no schema with a uid for the table that it writes")
        if entry.writes in TABLES:
            raise plugin.error(f"writes table {entry.writes}, which another stage writes")
        for table, schema in TABLES.items():
            if known := (set(schema.names) & set(entry.schema.names)) - {"uid"}:
                raise plugin.error(f"has columns that table {table} has: {', '.join(sorted(known))}")
        TABLES[entry.writes] = entry.schema
        SHARD_STAGES[entry.name] = entry
    else:
        CORPUS_STAGES[entry.name] = entry
    assert entry.section is not None
    ADDED_SECTIONS[entry.name] = entry.section


# An error of a package waits here until a command tells of it: reading a corpus does not depend on its stages.
PLUGIN_ERROR = _add_stages()
STAGES = (*SHARD_STAGES, *CORPUS_STAGES)
