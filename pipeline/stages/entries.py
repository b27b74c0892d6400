"""What the registry holds of a stage: all that is asked of it before its class is imported."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pyarrow as pa

from pipeline.base.errors import ConfigError
from pipeline.base.settings import Section
from pipeline.base.version import PACKAGE
from pipeline.stages.stage import CorpusStage, Stage


@dataclass(frozen=True)
class ShardStageEntry:
    """A stage that works shard by shard."""

    name: str
    target: str  # module:Class, imported only when the stage runs
    reads: tuple[str, ...]  # tables
    writes: str  # table
    extra: str = ""  # extra of its package that brings what the stage needs
    # Of a stage that another package adds; those of ours stand in pipeline/stages/config.py, pipeline/store/schema.py.
    section: type[Section] | None = None
    schema: pa.Schema | None = None  # of the table that it writes
    package: str = PACKAGE  # filled in from the package's metadata

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
    section: type[Section] | None = None  # of a stage that another package adds
    package: str = PACKAGE

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


StageEntry = ShardStageEntry | CorpusStageEntry


def missing_package(entry: StageEntry, error: ModuleNotFoundError) -> ConfigError:
    """The error that says which package a stage lacks, and how to get it."""
    cure = f": pip install '{entry.package}[{entry.extra}]'" if entry.extra else ""
    return ConfigError(f"stage {entry.name} needs the Python package {error.name!r}{cure}")


def _import(entry: StageEntry) -> Any:
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise missing_package(entry, error) from error
