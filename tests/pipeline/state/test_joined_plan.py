"""A corpus that is planned with `assets.annotations` and `assets.where`."""

import json
from pathlib import Path

import pytest

from fakes.corpus import fake_config
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.state.planning import ensure_planned
from tests.pipeline.assets.asset_server import AssetServer

TABLE = "uid,score,name\na,1,one\nb,2,two\nc,3,three\nx,9,\n"


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "quality.csv"
    path.write_text(TABLE)
    return path


def test_what_is_known_is_kept_with_the_plan(fakes, tmp_path, table, caplog):
    corpus = Corpus(tmp_path / "corpus")
    config = fake_config("a,b,c,d", assets={"annotations": str(table), "where": "score >= 2"})
    manifest = ensure_planned(corpus, config)
    known = {row["uid"]: row["annotations"] for row in corpus.read_index()}
    assert known == {"b": '{"quality_name":"two","score":2}', "c": '{"quality_name":"three","score":3}'}
    assert (manifest.objects, manifest.left_out_where) == (2, 2)
    [joined] = manifest.joined_tables
    assert (joined.path, joined.rows, joined.keys, joined.listed, joined.matched) == (str(table), 4, 4, 4, 3)
    assert "assets.where leaves out 2 of 4 objects" in caplog.text
    table.unlink()  # what is planned needs it no longer
    assert ensure_planned(corpus, config) == manifest
    other = fake_config("a,b,c,d", assets={"annotations": str(table), "where": "score >= 3"})
    with pytest.raises(ConfigError, match="assets.where: 'score >= 2' there, 'score >= 3' now"):
        ensure_planned(corpus, other)
    with pytest.raises(ConfigError, match=r"assets.annotations: '.*quality.csv' there, '' now"):
        ensure_planned(corpus, fake_config("a,b,c,d", assets={"where": "score >= 2"}))


def test_the_draw_is_of_those_that_are_kept(fakes, tmp_path, table):
    assets = {"annotations": str(table), "where": "score >= 1", "limit": 2}
    uids = ",".join(["a", "b", "c", *(f"object-{number}" for number in range(100))])
    manifest = ensure_planned(Corpus(tmp_path / "corpus"), fake_config(uids, assets=assets))
    assert (manifest.objects, manifest.left_out_where) == (2, 100)


def test_nothing_left_says_why(fakes, tmp_path, table):
    corpus = Corpus(tmp_path / "corpus")
    with pytest.raises(ConfigError, match="finds no asset in .* but 2, which assets.where leaves out$"):
        ensure_planned(corpus, fake_config("a,b", assets={"where": "name = 'nobody'"}))
    assert not corpus.exists("index.parquet")


def test_a_corpus_of_before_is_taken_up(fakes, tmp_path, table):
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, fake_config("a"))
    manifest = corpus.read_json("corpus.json")
    for field in ("annotations", "where"):
        del manifest["planning"][field]
    del manifest["joined_tables"], manifest["left_out_where"]
    corpus.write_json(manifest, "corpus.json")
    assert ensure_planned(corpus, fake_config("a")).joined_tables == ()
    with pytest.raises(ConfigError, match="assets.annotations: '' there"):
        ensure_planned(corpus, fake_config("a", assets={"annotations": str(table)}))


def test_secrets_of_an_address_are_neither_stored_nor_told(fakes, tmp_path, caplog):
    with AssetServer() as server:
        server.files["/quality.csv"] = TABLE.encode()
        host = server.url.removeprefix("http://")
        address = f"http://me:hush-hush@{host}/quality.csv?signature=hush-hush"
        config = fake_config("a,b", assets={"annotations": address})
        corpus = Corpus(tmp_path / "corpus")
        assert ensure_planned(corpus, config).joined_tables[0].path == f"http://{host}/quality.csv"
        missing = fake_config("a", assets={"annotations": address.replace("quality", "nothing")})
        with pytest.raises(ConfigError, match="nothing.csv: ") as error:
            ensure_planned(Corpus(tmp_path / "other"), missing)
    ensure_planned(corpus, fake_config("a,b", assets={"annotations": address.replace("hush-hush", "new")}))
    told = [str(error.value), caplog.text, json.dumps(config.model_dump(mode="json"))]
    stored = [path.read_bytes().decode("latin-1") for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    assert not [text for text in told + stored if "hush" in text]
