"""Corpora of before a column was there are read, packed and verified as if it were null."""

import pyarrow as pa
import pytest

from fakes.synthetic_corpus import write_corpus
from pipeline import Corpus
from pipeline.pack.join import joined_rows
from pipeline.store.schema import ADDED_COLUMNS, GAUSSIANS
from pipeline.store.shard_reader import TableReader


@pytest.fixture
def older(tmp_path) -> Corpus:
    corpus = write_corpus(tmp_path / "corpus", objects=2)
    path = corpus.shard_path("gaussians", 0)
    with corpus.parquet(path) as file:
        table = file.read()
    schema = pa.schema([field for field in GAUSSIANS if field.name not in ADDED_COLUMNS])
    with corpus.table_writer(path, schema) as writer:
        writer.write_table(table.select(schema.names).cast(schema))
    return corpus


def test_added_columns_are_null(older):
    reader = TableReader(older, older.shard_path("gaussians", 0), ["means", "sh_rest"])
    assert reader.table("ball-001")["sh_rest"].to_pylist() == [None]
    assert reader.columns(["uid", "sh_degree"])["sh_degree"].to_pylist() == [None, None]
    reader.close()


def test_a_triplet_is_joined(older):
    decoded = frozenset({"sh_rest"})
    (joined, _) = joined_rows(older, 0, ["ball-000", "ball-001"], decoded)
    assert joined.values["sh_rest"].to_pylist() == [None] and joined.values["sh_degree"].to_pylist() == [None]


def test_its_splat_is_exported(older, tmp_path):
    ply = pytest.importorskip("pipeline.values.ply")
    path = older.object("ball-001").export("ply", tmp_path / "ball.ply")
    assert ply.read_ply(path).splat.sh_degree == 0
