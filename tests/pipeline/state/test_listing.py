"""What a source's rows become: the draw, the splits, the shards, and what is left out."""

from collections import Counter

import pyarrow as pa
import pytest

from fakes.corpus import fake_config
from fakes.stages import FakeSource
from pipeline.base.errors import ConfigError
from pipeline.stages.config import Config
from pipeline.state.listing import Listing, split_of
from pipeline.store.rows import Row
from pipeline.store.schema import INDEX

MANY = ",".join(f"object-{i}" for i in range(400))


@pytest.fixture
def listed(fakes, tmp_path):
    """The rows of the index that a config leads to."""

    def listed(config: Config) -> list[Row]:
        return pa.concat_tables(Listing(config.assets).pieces(tmp_path / "scratch")).to_pylist()

    return listed


def test_rows_are_sorted_and_cut_into_shards(listed):
    rows = listed(fake_config("c,a,e,b,d"))
    assert [(row["uid"], row["shard"]) for row in rows] == [("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1)]


def test_a_larger_limit_keeps_the_objects_of_a_smaller_one(listed):
    def drawn(limit: int, uids: str = MANY) -> set[str]:
        return {row["uid"] for row in listed(fake_config(uids, assets={"limit": limit}))}

    assert len(drawn(10)) == 10 and drawn(10) < drawn(50) < drawn(0)
    assert len(drawn(10) & {f"object-{i}" for i in range(10)}) < 10  # not simply the first ones
    assert drawn(10, ",".join(reversed(MANY.split(",")))) == drawn(10)


def test_a_limit_counts_objects_and_not_entries(fakes, tmp_path):
    listing = Listing(fake_config(f"{MANY},{MANY}", assets={"limit": 10}).assets)
    listing.count(tmp_path)
    assert (listing.objects, listing.unplanned) == (10, 10)


def test_splits_follow_the_fractions_and_the_source(listed):
    config = fake_config(MANY + ",held-1,held-2", assets={"val_fraction": 0.2, "heldout_fraction": 0.3})
    rows = listed(config)
    counts = Counter(row["split"] for row in rows)
    assert 50 < counts["val"] < 110 and 80 < counts["heldout"] < 160
    assert {row["split"] for row in rows if row["uid"].startswith("held-")} == {"heldout"}
    more = fake_config(MANY, assets={"val_fraction": 0.3, "heldout_fraction": 0.3}).assets
    assert all(split_of(row["uid"], more) == "val" for row in rows if row["split"] == "val")


def test_a_corpus_that_grows_deals_no_object_again(listed):
    def splits(uids: str) -> dict[str, str]:
        return {row["uid"]: row["split"] for row in listed(fake_config(uids))}

    few, many = splits(MANY), splits(",".join(f"object-{i}" for i in range(1000)) + ",a,held-1,zz")
    assert set(few.values()) == {"train", "val", "heldout"}
    assert few.items() < many.items()


def test_entries_are_kept_as_plain_text_without_secrets(fakes, tmp_path, caplog):
    listing = Listing(fake_config("a").assets)
    listing._source.unplanned.note("https://ann:pass@a.org/x.glb?id=7&token=t0p", "it \x1b[31mis\nodd")
    listing._source.unplanned.note("x" * 5000, "it is long")
    list(listing.pieces(tmp_path))
    first, second = listing.unplanned_rows()
    assert first == {"entry": "https://a.org/x.glb?id=7", "reason": "it \\x1b[31mis odd"}
    assert len(second["entry"]) == 1000
    assert "pass" not in caplog.text and "t0p" not in caplog.text and "\x1b" not in caplog.text


def test_many_licences_make_no_long_message(fakes, tmp_path, caplog, monkeypatch):
    def plan(self):
        for number in range(500):
            empty = dict.fromkeys(INDEX.names, "") | {"uid": f"{number}", "tags": [], "license": f"licence {number}"}
            yield {name: value for name, value in empty.items() if name != "shard"}

    monkeypatch.setattr(FakeSource, "plan", plan)
    listing = Listing(fake_config(assets={"licenses": "licence 3"}).assets)
    list(listing.pieces(tmp_path))
    assert len(caplog.text) < 600 and "489 of others" in caplog.text
    assert listing.left_out_licenses.total() == 499


def test_an_empty_source_is_refused(listed):
    with pytest.raises(ConfigError, match="finds no asset in assets.path ''$"):
        listed(fake_config(""))


def test_counting_gives_what_planning_gives(fakes, tmp_path):
    config = fake_config(MANY + ",../x,a,a,held-1").assets
    whole, counted = Listing(config), Listing(config)
    list(whole.pieces(tmp_path))
    counted.count(tmp_path)
    for name in ("objects", "shards", "splits", "left_out_licenses", "unplanned"):
        assert getattr(whole, name) == getattr(counted, name)
