"""The stages, in order. A stage is one entry here, one section in the config and one class (docs/add-a-stage.md).

An entry repeats the tables that its class names, so that `--status` and `--plan` know how the stages hang together
without importing any of them; `load` checks that both say the same.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipeline.errors import ConfigError
from pipeline.stage import CorpusStage, Stage


@dataclass(frozen=True)
class ShardStageEntry:
    """A stage that works shard by shard."""

    name: str
    target: str  # module:Class, imported only when the stage runs
    reads: tuple[str, ...]  # tables
    writes: str  # table
    extra: str = ""  # extra of this package that brings what the stage needs

    def load(self) -> type[Stage[Any]]:
        """The stage's class.

        Raises:
            ConfigError: a package that the stage needs is not installed.
            TypeError: the class reads or writes other tables than this entry says.
        """
        stage: type[Stage[Any]] = _import(self)
        if (tuple(stage.reads), stage.writes) != (self.reads, self.writes):
            raise TypeError(f"{self.target} reads {tuple(stage.reads)} and writes {stage.writes!r}, not as registered")
        return stage


@dataclass(frozen=True)
class CorpusStageEntry:
    """A stage over the whole corpus."""

    name: str
    target: str
    after: tuple[str, ...]  # stages whose results it uses
    extra: str = ""

    def load(self) -> type[CorpusStage[Any]]:
        """The stage's class.

        Raises:
            ConfigError: a package that the stage needs is not installed.
            TypeError: the class comes after other stages than this entry says.
        """
        stage: type[CorpusStage[Any]] = _import(self)
        if tuple(stage.after) != self.after:
            raise TypeError(f"{self.target} comes after {tuple(stage.after)}, not as registered")
        return stage


def missing_package(entry: ShardStageEntry | CorpusStageEntry, error: ModuleNotFoundError) -> ConfigError:
    """The error that says which package a stage lacks, and how to get it."""
    cure = f": pip install 'clip-gs-corpus[{entry.extra}]'" if entry.extra else ""
    return ConfigError(f"stage {entry.name} needs the Python package {error.name!r}{cure}")


def _import(entry: ShardStageEntry | CorpusStageEntry) -> Any:
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise missing_package(entry, error) from error


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
STAGES = (*SHARD_STAGES, *CORPUS_STAGES)
