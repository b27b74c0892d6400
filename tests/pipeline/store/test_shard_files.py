"""Names of shards' files, from the first to the millionth."""

import pytest

from pipeline import Corpus
from pipeline.store.schema import CAPTIONS
from pipeline.store.shard_files import shard_file, shard_of

NUMBERS = [0, 42, 9_999, 10_000, 99_999, 100_000, 100_001, 159_999, 1_000_000]


@pytest.mark.parametrize("shard", NUMBERS)
def test_a_name_leads_back_to_its_shard(shard):
    assert shard_of(shard_file(shard)) == shard


def test_old_names_stay():
    assert [shard_file(shard) for shard in (0, 42, 99_999)] == ["00000.parquet", "00042.parquet", "99999.parquet"]


@pytest.mark.parametrize(
    "name", ["", "files", "42.parquet", "00042.parquet.tmp", "000042.parquet", "a00042.parquet", "0004a.parquet"]
)
def test_other_names_are_no_shards(name):
    assert shard_of(name) is None


def test_shards_are_listed_by_number(tmp_path):
    corpus = Corpus(tmp_path)
    for shard in NUMBERS:
        with corpus.table_writer(corpus.shard_path("captions", shard), CAPTIONS):
            pass
    (tmp_path / "captions" / "notes.parquet").touch()
    assert corpus.shards("captions") == NUMBERS
