"""The packed rows of a split, of all splits, and of one part of a split."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest

from fakes.synthetic_corpus import write_corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage
from pipeline.reading.triplets import Triplets, part
from pipeline.store.corpus_store import CorpusStore

OBJECTS = 25  # 23 of them in train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> CorpusStore:
    """Several files with several row groups each."""
    corpus = write_corpus(tmp_path_factory.mktemp("packed"), OBJECTS, shard_size=6, views=3, size=16, num_gaussians=20)
    PackStage(PackConfig(file_bytes=60_000, row_group_bytes=15_000)).run(corpus)
    return corpus


def uids(triplets: Triplets, rank: int = 0, ranks: int = 1) -> list[str]:
    return [row["uid"] for row in triplets.rows(["uid"], rank, ranks)]


@pytest.mark.parametrize("ranks", [1, 2, 3, 7, 23, 30])
def test_parts_cover_a_split_evenly_and_in_order(corpus, ranks):
    triplets = Triplets(corpus, "train")
    parts = [uids(triplets, rank, ranks) for rank in range(ranks)]
    assert sum(parts, []) == triplets.table(["uid"])["uid"].to_pylist()
    assert [len(rows) for rows in parts] == [len(part(range(len(triplets)), rank, ranks)) for rank in range(ranks)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_part_reads_its_own_row_groups_alone(corpus, monkeypatch):
    read = []

    class Watched(pq.ParquetFile):
        def read_row_group(self, i, **options):
            table = super().read_row_group(i, **options)
            read.append(table.num_rows)
            return table

    @contextmanager
    def watched(self: CorpusStore, path: str) -> Iterator[pq.ParquetFile]:
        with Watched(path) as file:
            yield file

    monkeypatch.setattr(CorpusStore, "parquet", watched)
    triplets = Triplets(corpus, "train")
    groups = triplets.row_groups
    assert len({group.path for group in groups}) > 1 and any(group.number for group in groups)
    assert len(uids(triplets, rank=1, ranks=len(triplets))) == 1
    assert read == [groups[0].rows]


def test_all_splits_together(corpus):
    together = uids(Triplets(corpus))
    assert len(together) == OBJECTS
    assert sorted(together) == sorted(
        uid for split in ("train", "val", "heldout") for uid in uids(Triplets(corpus, split))
    )


def test_without_a_manifest_every_file_counts(corpus, tmp_path):
    shutil.copytree(corpus.path("triplets"), tmp_path / "copy")
    copy = CorpusStore(tmp_path / "copy")
    copy.remove("manifest.json")
    assert uids(Triplets(copy, "train")) == uids(Triplets(corpus, "train"))
    assert len(Triplets(copy)) == OBJECTS


def test_a_split_of_nothing_is_empty(corpus):
    nothing = Triplets(corpus, "test")
    assert (nothing.files, len(nothing), list(nothing.rows()), nothing.find("ball-001")) == ([], 0, [], None)
    assert list(nothing.rows(ranks=2)) == []
