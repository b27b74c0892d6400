"""Planning: the draw, the splits, the shards, and what happens when a corpus is planned again."""

from collections import Counter

import pyarrow.parquet as pq
import pytest

from fakes.corpus import fake_config
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.stages.config import Config
from pipeline.state.planning import INDEX_GROUP_ROWS, ensure_planned, keep_config, list_objects, split_of

MANY = ",".join(f"object-{i}" for i in range(400))


def test_rows_are_sorted_and_cut_into_shards(fakes):
    rows = list_objects(fake_config("c,a,e,b,d").assets).index.to_pylist()
    assert [(row["uid"], row["shard"]) for row in rows] == [("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1)]


def test_a_larger_limit_keeps_the_objects_of_a_smaller_one(fakes):
    def drawn(limit: int, uids: str = MANY) -> set[str]:
        return {row["uid"] for row in list_objects(fake_config(uids, assets={"limit": limit}).assets).index.to_pylist()}

    assert len(drawn(10)) == 10 and drawn(10) < drawn(50) < drawn(0)
    assert len(drawn(10) & {f"object-{i}" for i in range(10)}) < 10  # not simply the first ones
    assert drawn(10, ",".join(reversed(MANY.split(",")))) == drawn(10)


def test_splits_follow_the_fractions_and_the_source(fakes):
    config = fake_config(MANY + ",held-1,held-2", assets={"val_fraction": 0.2, "heldout_fraction": 0.3}).assets
    rows = list_objects(config).index.to_pylist()
    counts = Counter(row["split"] for row in rows)
    assert 50 < counts["val"] < 110 and 80 < counts["heldout"] < 160
    assert {row["split"] for row in rows if row["uid"].startswith("held-")} == {"heldout"}
    more = fake_config(MANY, assets={"val_fraction": 0.3, "heldout_fraction": 0.3}).assets
    assert all(split_of(row["uid"], more) == "val" for row in rows if row["split"] == "val")


def test_a_corpus_that_grows_deals_no_object_again(fakes):
    def splits(uids: str) -> dict[str, str]:
        return {row["uid"]: row["split"] for row in list_objects(fake_config(uids).assets).index.to_pylist()}

    few, many = splits(MANY), splits(",".join(f"object-{i}" for i in range(1000)) + ",a,held-1,zz")
    assert set(few.values()) == {"train", "val", "heldout"}
    assert few.items() < many.items()


@pytest.mark.parametrize("uid", ["../escape", "/etc/passwd", ".hidden", "a\\b", "new\nline", "x" * 201])
def test_uids_that_cannot_name_a_file_are_refused(fakes, uid):
    with pytest.raises(ConfigError, match="cannot be a file name"):
        list_objects(fake_config(f"good,{uid}").assets)


def test_a_uid_twice_and_an_empty_source_are_refused(fakes):
    with pytest.raises(ConfigError, match="two assets have the uid 'a': fake:a and fake:a"):
        list_objects(fake_config("a,b,a").assets)
    with pytest.raises(ConfigError, match="finds no asset"):
        list_objects(fake_config("").assets)


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
