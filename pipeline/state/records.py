"""What a run keeps beside the tables: how the corpus was planned (corpus.json), and what was done over all of it."""

from typing import Any, ClassVar

from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.index_reader import PLAN_AGAIN
from pipeline.store.joined_table import JoinedTable
from pipeline.store.record import Record

MANIFEST = "corpus.json"


class CorpusManifest(Record):
    """corpus.json: how the corpus was planned, and the config that it was last run with."""

    cure: ClassVar[str] = PLAN_AGAIN

    config: dict[str, Any]  # by section
    config_hash: str
    planning: dict[str, Any]  # the fields of the assets section that decide what is in the corpus
    planning_hash: str
    code_version: str  # that planned it
    objects: int
    splits: dict[str, int] = {}  # objects by split; not before 0.2
    left_out_licenses: dict[str, int] = {}  # objects kept out by their licence; not in the first version
    joined_tables: tuple[JoinedTable, ...] = ()  # of `assets.annotations`; not before 0.2
    left_out_where: int = 0  # objects for which `assets.where` is not true; not before 0.2
    unplanned: int = 0  # rows of unplanned.parquet; not before 0.2
    shards: int


class DoneNote(Record):
    """done/STAGE.json: what a stage over the whole corpus was last run on, what it said and what it left."""

    cure: ClassVar[str] = "--repair removes it, so that the stage runs again"

    stage: str
    config_hash: str
    inputs: dict[str, str]  # a fingerprint of what each stage before it had left
    figures: dict[str, Any]
    seconds: float
    code_version: str
    fingerprint: str
    files: tuple[str, ...] = ()  # paths inside the corpus of what it left; not in the first version
    shards: dict[str, int] = {}  # finished shards of each table that it was run on; not in the first version


def find_manifest(corpus: CorpusStore) -> CorpusManifest | None:
    """The corpus's manifest; None if nothing is planned yet.

    Raises:
        ConfigError: it is damaged.
    """
    return corpus.find_record(CorpusManifest, MANIFEST)


def read_manifest(corpus: CorpusStore) -> CorpusManifest:
    """The corpus's manifest.

    Raises:
        ConfigError: nothing is planned yet, or it is damaged.
    """
    manifest = find_manifest(corpus)
    if manifest is None:
        raise ConfigError(f"there is no corpus at {corpus.uri}: --stage all or --stage assets makes one")
    return manifest


def find_done(corpus: CorpusStore, stage: str) -> DoneNote | None:
    """What a stage over the whole corpus left; None if it has not been run.

    Raises:
        ConfigError: the note is damaged.
    """
    return corpus.find_record(DoneNote, *done_path(stage))


def missing_files(corpus: CorpusStore, done: DoneNote) -> list[str]:
    """Those of the files that a stage left which are there no longer, in order."""
    folders = {path.rpartition("/")[0] for path in done.files}
    there = {f"{folder}/{name}" for folder in folders for name in corpus.names(folder)}
    return sorted(set(done.files) - there)


def done_path(stage: str) -> tuple[str, str]:
    """Where in the corpus its note lies."""
    return "done", f"{stage}.json"
