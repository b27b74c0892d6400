"""index.parquet by shards: what is read of it, and when."""

import pyarrow.parquet as pq
import pytest

from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.store.schema import INDEX

ROWS_IN_GROUP = 10


def write_index(corpus: Corpus, shards: list[int], name: str = "object") -> None:
    """One row for each of `shards`, a few in a row group."""
    empty = dict.fromkeys(INDEX.names)
    rows = [empty | {"uid": f"{name}-{i:04d}", "shard": shard, "tags": ["a"]} for i, shard in enumerate(shards)]
    with corpus.table_writer(corpus.path("index.parquet"), INDEX) as writer:
        for start in range(0, len(rows), ROWS_IN_GROUP):
            writer.write(rows[start : start + ROWS_IN_GROUP])


@pytest.fixture(params=["local", "bucket"])
def corpus(request, tmp_path) -> Corpus:
    return Corpus(tmp_path / "corpus" if request.param == "local" else f"memory://{tmp_path.name}/corpus")


@pytest.fixture
def opened(corpus, monkeypatch) -> list[bool]:
    """Whether the footer was known, for every time that the index is opened."""
    calls: list[bool] = []
    real = type(corpus).parquet

    def parquet(self, path, footer=None):
        calls.append(footer is not None)
        return real(self, path, footer)

    monkeypatch.setattr(type(corpus), "parquet", parquet)
    return calls


def test_every_shard_has_its_rows(corpus):
    shards = [number // 7 for number in range(100)]
    write_index(corpus, shards)
    for shard in range(15):
        uids = [row["uid"] for row in corpus.read_index(["uid"], shard)]
        assert uids == [f"object-{i:04d}" for i in range(100) if i // 7 == shard]
    assert corpus.read_index(shard=3)[0].keys() == set(INDEX.names)
    assert [row["shard"] for row in corpus.read_index()] == shards


def test_shards_of_one_row_group_cost_one_read_and_the_footer_is_parsed_once(corpus, opened):
    write_index(corpus, [number // 2 for number in range(100)])
    for shard in range(50):
        assert len(corpus.read_index(["uid"], shard)) == 2
    assert opened == [False] + 10 * [True]


def test_rows_need_not_lie_by_shard(corpus):
    write_index(corpus, [number % 3 for number in range(35)])
    assert len(corpus.read_index(["uid"], 1)) == 12


def test_an_index_that_was_written_anew_is_read_anew(corpus):
    write_index(corpus, [0, 0, 1])
    assert len(corpus.read_index(["uid"], 0)) == 2
    write_index(corpus, [0, 1, 1, 1], name="newer")
    assert [row["uid"] for row in corpus.read_index(["uid"], 0)] == ["newer-0000"]


def test_a_shard_that_is_not_there_and_a_file_that_is_none_are_told(corpus):
    with pytest.raises(ConfigError, match=r"index.parquet cannot be read .* restore a copy"):
        corpus.read_index(["uid"], 0)
    write_index(corpus, [0, 0, 1])
    with pytest.raises(ConfigError, match="it has no shard 2"):
        corpus.read_index(["uid"], 2)
    corpus.write_text("PAR1", "index.parquet")
    with pytest.raises(ConfigError, match="restore a copy"):
        corpus.read_index(["uid"], 0)


@pytest.mark.parametrize(
    ("prefix", "count"),
    [("object-", 100), ("object-000", 10), ("object-0042", 1), ("o", 100), ("object-x", 0), ("a", 0), ("z", 0)],
)
def test_objects_are_counted_by_how_their_uids_begin(corpus, prefix, count):
    write_index(corpus, [number // 7 for number in range(100)])
    assert corpus.index().count(prefix) == count


def test_counting_reads_only_where_such_objects_lie(corpus, monkeypatch):
    write_index(corpus, [number // 7 for number in range(100)])
    read: list[int] = []
    real = pq.ParquetFile.read_row_groups

    def reading(file, groups, columns):
        read.extend(groups)
        return real(file, groups, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", reading)
    assert corpus.index().count("object-003") == 10
    assert read == [3]
