"""What a corpus keeps of the tables that `assets.annotations` joined to its objects."""

from typing import ClassVar

from pipeline.store.corpus_store import CorpusStore
from pipeline.store.record import Record


class JoinedTable(Record):
    """One joined table, as corpus.json lists it."""

    cure: ClassVar[str] = ""  # part of a manifest

    name: str  # that of a known table, or made from the file's
    path: str  # as `assets.annotations` gives it, without secrets; several files joined by commas
    license: str  # of the table itself, not of the objects; empty: not known
    citation: str  # empty: not known
    columns: tuple[str, ...]  # as objects have them in `annotations`
    rows: int
    keys: int  # that differ: uids, SHA-256 and file identifiers
    listed: int  # objects that the source lists, of accepted licences
    matched: int  # of these, those that have a row


class _Planned(Record):
    """The part of corpus.json that says so."""

    cure: ClassVar[str] = ""

    joined_tables: tuple[JoinedTable, ...] = ()  # not before 0.2


def read_joined_tables(corpus: CorpusStore) -> tuple[JoinedTable, ...]:
    """The tables that were joined when the corpus was planned.

    Raises:
        ConfigError: corpus.json is damaged.
    """
    planned = corpus.find_record(_Planned, "corpus.json")
    return planned.joined_tables if planned else ()
