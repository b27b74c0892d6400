"""Planning: what is kept of it, and what happens when a corpus is planned again."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fakes.corpus import fake_config
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.stages.config import Config
from pipeline.state import listing
from pipeline.state.listing import split_of
from pipeline.state.planning import INDEX_GROUP_ROWS, count_objects, ensure_planned, keep_config
from pipeline.state.records import read_manifest
from pipeline.store.uid_order import ordered_by_uid


def unplanned(corpus: Corpus) -> list[tuple[str, str]]:
    with corpus.parquet(corpus.path("unplanned.parquet")) as file:
        return [(row["entry"], row["reason"]) for row in file.read().to_pylist()]


def test_what_cannot_be_planned_is_kept_and_counted(fakes, tmp_path, caplog):
    corpus, config = Corpus(tmp_path / "corpus"), fake_config("c,../escape,a,b,a,no/file,b")
    manifest = ensure_planned(corpus, config)
    assert (manifest.objects, manifest.unplanned, manifest.splits) == (3, 4, {"train": 2, "val": 1})
    assert [row["uid"] for row in corpus.read_index()] == ["a", "b", "c"]
    assert unplanned(corpus) == [
        ("fake:../escape", "its uid '../escape' cannot name a file"),
        ("fake:no/file", "its uid 'no/file' cannot name a file"),
        ("fake:a", "another entry has the uid 'a', too: the first is planned"),
        ("fake:b", "another entry has the uid 'b', too: the first is planned"),
    ]
    [line] = [record.message for record in caplog.records]
    assert "4 entries that cannot be planned ('fake:../escape': its uid" in line

    caplog.clear()
    counted = count_objects(config.assets)
    assert (counted.objects, counted.shards, counted.splits, counted.unplanned) == (3, 1, manifest.splits, 4)
    assert [record.message for record in caplog.records] == [line]


@pytest.mark.parametrize("run_bytes", [1 << 30, 50_000])
def test_rows_are_the_same_whether_sorted_in_memory_or_through_files(fakes, tmp_path, monkeypatch, run_bytes):
    scratch: list[Path] = []

    def ordered(tables, folder, on_repeated):
        scratch.append(folder)
        yield from ordered_by_uid(tables, folder, on_repeated, run_bytes)
        assert folder.exists() == (run_bytes < 1 << 30)

    monkeypatch.setattr(listing, "ordered_by_uid", ordered)
    monkeypatch.setattr(listing, "ROWS_AT_ONCE", 500)
    corpus, size = Corpus(tmp_path / "corpus"), INDEX_GROUP_ROWS // 2 + 3
    uids = [f"{'éaz'[number % 3]}-{number * 7919 % 10_007}" for number in range(10_007)]
    config = fake_config(",".join([*uids, uids[5]]), assets={"shard_size": size})
    assert ensure_planned(corpus, config).objects == len(uids)
    expected = [(uid, i // size, split_of(uid, config.assets)) for i, uid in enumerate(sorted(uids))]
    assert [(row["uid"], row["shard"], row["split"]) for row in corpus.read_index()] == expected
    groups = pq.read_metadata(corpus.path("index.parquet"))
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [4096, 4096, 10_007 - 2 * 4096]
    assert unplanned(corpus) == [
        (f"fake:{uids[5]}", f"another entry has the uid {uids[5]!r}, too: the first is planned")
    ]
    assert scratch[0].parent == tmp_path / "corpus" / ".tmp" and not scratch[0].exists()


def test_what_a_source_notes_is_kept(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    assert ensure_planned(corpus, fake_config("a,odd:x,odd:y,b")).unplanned == 2
    assert unplanned(corpus) == [("fake:odd:x", "it is odd"), ("fake:odd:y", "it is odd")]


def test_no_table_of_unplanned_entries_is_left_where_there_is_none(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, fake_config("a,odd:x"))
    corpus.remove("corpus.json")
    assert ensure_planned(corpus, fake_config("a")).unplanned == 0
    assert not corpus.exists("unplanned.parquet")


def test_a_source_of_which_nothing_can_be_planned_leaves_no_trace(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    with pytest.raises(ConfigError, match="finds no asset in assets.path '../a,odd:x' but 2 entries that cannot be"):
        ensure_planned(corpus, fake_config("../a,odd:x"))
    assert not (tmp_path / "corpus").exists()


def test_a_manifest_of_before_has_no_unplanned_entries(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, fake_config("a"))
    manifest = corpus.read_json("corpus.json")
    del manifest["unplanned"], manifest["splits"]
    corpus.write_json(manifest, "corpus.json")
    assert (read_manifest(corpus).unplanned, read_manifest(corpus).splits) == (0, {})


def test_planning_is_done_once(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    config = fake_config("a,b,c,d")
    manifest = ensure_planned(corpus, config)
    assert (manifest.objects, manifest.shards) == (4, 2)
    assert Config.model_validate(manifest.config) == config
    before = corpus.filesystem.modified(corpus.path("index.parquet"))
    assert ensure_planned(corpus, fake_config("a,b,c,d", assets={"max_bytes": 5})) == manifest
    assert corpus.filesystem.modified(corpus.path("index.parquet")) == before
    with pytest.raises(
        ConfigError, match=r"assets.path: 'a,b,c,d' there, 'a,b' now, assets.shard_size: 3 there, 1 now"
    ):
        ensure_planned(corpus, fake_config("a,b", assets={"shard_size": 1}))


def test_a_corpus_from_before_a_field_came_is_taken_up(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, fake_config("a"))
    manifest = corpus.read_json("corpus.json")
    del manifest["planning"]["limit"]
    corpus.write_json(manifest, "corpus.json")
    ensure_planned(corpus, fake_config("a"))
    with pytest.raises(ConfigError, match="assets.limit: 0 there, 5 now"):
        ensure_planned(corpus, fake_config("a", assets={"limit": 5}))


def test_index_is_read_by_shard_across_row_groups(fakes, tmp_path):
    uids = [f"{number:05d}" for number in range(INDEX_GROUP_ROWS + 10)]
    corpus, half = Corpus(tmp_path / "corpus"), INDEX_GROUP_ROWS // 2 + 3
    ensure_planned(corpus, fake_config(",".join(uids), assets={"shard_size": half}))
    assert pq.ParquetFile(corpus.path("index.parquet")).num_row_groups == 2
    assert [row["uid"] for row in corpus.read_index(["uid"], shard=1)] == uids[half : 2 * half]
    assert [row["uid"] for row in corpus.read_index(shard=2)] == uids[2 * half :]
    assert len(corpus.read_index()) == len(uids)


def test_the_config_that_ran_is_kept_by_section(fakes, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, fake_config("a"))
    keep_config(corpus, fake_config("a", fit={"iterations": 9}, render={"samples": 25}), ["fit"])
    stored = corpus.read_json("corpus.json")["config"]
    assert stored["fit"]["iterations"] == 9 and stored["render"]["samples"] == 16
