"""Looking up one object of a corpus by its uid."""

from contextlib import closing

import pyarrow.dataset as ds

from pipeline.reading.objects import CorpusObject
from pipeline.reading.triplets import Triplets
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row, rows_from_table
from pipeline.store.schema import TRIPLET_TABLES
from pipeline.store.shard_reader import TableReader


def find_object(corpus: CorpusStore, uid: str) -> CorpusObject:
    """The object's rows, joined: from the tables of its shard or, in a copy of the triplets, from these.

    Raises:
        KeyError: the corpus has no such object.
    """
    row = _shard_row(corpus, uid) if corpus.exists("index.parquet") else Triplets(corpus).find(uid)
    if row is None:
        raise KeyError(f"{corpus.uri} has no object {uid!r}")
    return CorpusObject(row)


def _shard_row(corpus: CorpusStore, uid: str) -> Row | None:
    index = ds.dataset(corpus.path("index.parquet"), filesystem=corpus.arrow_filesystem())
    planned = index.to_table(filter=ds.field("uid") == uid)
    if not planned.num_rows:
        return None
    row = rows_from_table(planned)[0]
    for table in TRIPLET_TABLES:
        try:
            reader = TableReader(corpus, corpus.shard_path(table, row["shard"]))
        except FileNotFoundError:  # its stage has not been run yet
            continue
        with closing(reader):
            if uid in reader:
                row |= rows_from_table(reader.table(uid))[0]
    return row
