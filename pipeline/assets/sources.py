"""Where assets come from. A source is one class, one line here and one name in `assets.source`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.base import plugins
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row

# name -> where its class is; imported only when it is asked for. Packages may add others (docs/extend.md).
SOURCES = {
    "folder": "pipeline.assets.folder:FolderSource",
    "manifest": "pipeline.assets.manifest:ManifestSource",
    "objaverse": "pipeline.assets.objaverse.source:ObjaverseSource",
    "objaverse-xl": "pipeline.assets.objaverse.xl_source:ObjaverseXLSource",
    "sh3f": "pipeline.assets.sh3f:Sh3fSource",
}


@dataclass(frozen=True)
class Fetched:
    """One asset in a local folder of its own, checked, and naming no file that is not there."""

    main: Path  # its suffix is the asset's format
    side_files: tuple[Path, ...] = ()  # what the main file names, where it expects it
    missing_textures: tuple[str, ...] = ()  # as the asset names them
    missing_colors: tuple[str, ...] = ()  # those of them that give colours
    rotation: tuple[float, ...] = ()  # [9] row-major, to be applied in the asset's own frame; empty: identity


@dataclass
class Unplanned:
    """Entries of a source of which no row could be made. They stay on record, in CORPUS/unplanned.parquet."""

    entries: list[str] = field(default_factory=list)  # as the source names them
    reasons: list[str] = field(default_factory=list)  # one for each: what is wrong with it
    unnamed: int = 0  # entries beyond those

    def note(self, entry: str, reason: str) -> None:
        self.entries.append(entry)
        self.reasons.append(reason)

    def note_more(self, count: int, reason: str) -> None:
        """Many entries with one fault, of which enough have been named."""
        self.note(f"{count} more entries", reason)
        self.unnamed += count - 1

    def __len__(self) -> int:
        return len(self.entries) + self.unnamed


class AssetSource(ABC):
    """A set of assets that can be listed without fetching them.

    `parallel` says how many threads may call `fetch` at once.
    """

    parallel: int = 1

    def __init__(self, config: AssetsConfig):
        self.config = config
        self.unplanned = Unplanned()

    @abstractmethod
    def plan(self) -> Iterator[Row]:
        """One row per asset, in a fixed order: the columns of `pipeline.store.schema.INDEX` except `shard` and
        `annotations`.

        An empty `split` means that the source names none: the split then follows from the hash of the uid. An entry of
        which no row can be made is noted in `self.unplanned`, and planning goes on.

        Raises:
            ConfigError: there is nothing to read at `assets.path`, or it is not what this source reads.
        """

    def begin(self, batch: list[Row], context: StageContext) -> None:
        """Called before the assets of a batch are fetched, for what they share; what cannot be had is left to `fetch`.

        `context.scratch` is a folder that the worker may fill.
        """

    @abstractmethod
    def fetch(self, row: Row, folder: Path) -> Fetched:
        """Bring the asset of one planned row, with the files that it names, into an empty local folder.

        Raises:
            AssetError: the asset is missing, broken, hostile or too large; the message names the file.
            Timeout, Unreachable: it could not be fetched this time.
        """

    def close(self) -> None:
        """Called once, when a worker fetches no more assets."""


def make_source(config: AssetsConfig) -> AssetSource:
    """The asset source that the config names.

    Raises:
        ConfigError: no source has this name, or an installed package that adds one is at fault.
    """
    source: type[AssetSource] = plugins.load("asset source", config.source, SOURCES, key="assets.source")
    return source(config)
