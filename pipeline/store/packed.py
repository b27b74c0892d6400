"""manifest.json of a packed folder: which files count, what they hold, and how they were packed."""

from typing import Any, ClassVar

from pipeline.store.corpus_store import CorpusStore
from pipeline.store.record import Record

FOLDER = "triplets"  # of a corpus
MANIFEST = "manifest.json"


class PackedFile(Record):
    """One Parquet file of a packed folder."""

    cure: ClassVar[str] = ""  # part of a manifest

    path: str  # SPLIT/NAME, inside the folder
    rows: int
    bytes: int
    sha256: str


class PackedManifest(Record):
    """What a packed folder must contain."""

    cure: ClassVar[str] = "run --stage pack --force, or download the folder again"

    code: str  # name and version of what packed it
    generation: str = ""  # part of the files' names; not in the first version
    config: dict[str, Any]  # the settings of the pack stage
    objects: int  # planned, whatever became of them
    triplets: int
    left_out: dict[str, int]  # objects that are not packed, by reason
    files: tuple[PackedFile, ...]


def read_packed_manifest(folder: CorpusStore, *parts: str) -> PackedManifest:
    """The manifest of the packed folder at `parts` (none: `folder` itself is one).

    Raises:
        FileNotFoundError: it has none.
        ConfigError: it is damaged.
    """
    return folder.read_record(PackedManifest, *parts, MANIFEST)


def find_packed_manifest(folder: CorpusStore, *parts: str) -> PackedManifest | None:
    """The same; None if there is none."""
    return folder.find_record(PackedManifest, *parts, MANIFEST)
