"""Objaverse 1.0 from a server on loopback that is laid out as the dataset on the hub."""

import gzip

import pyarrow.parquet as pq
import pytest

from pipeline import Corpus
from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from pipeline.run import main
from pipeline.stages.config import Config
from pipeline.state.planning import ensure_planned
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import INDEX
from tests.pipeline.assets.asset_makers import Store
from tests.pipeline.assets.asset_server import broken_off, status
from tests.pipeline.assets.objaverse_hub import FAST, LVIS, PATHS, ROOT, Hub, annotation, packed, uid_of


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as hub:
        yield hub


@pytest.fixture
def config(hub, tmp_path):
    def make(**fields) -> dict:
        return {"source": "objaverse", "endpoint": hub.url, "cache": str(tmp_path / "cache")} | FAST | fields

    return make


def plan(config: dict) -> list[dict]:
    return list(make_source(AssetsConfig(**config)).plan())


def test_annotations_become_index_rows(config):
    rows = plan(config())
    assert [row["uid"] for row in rows] == [uid_of(n) for n in range(6)]
    assert rows[3] == {
        "uid": uid_of(3),
        "source": "objaverse",
        "origin_uri": f"https://sketchfab.com/3d-models/{uid_of(3)}",
        "name": "Object 3",
        "tags": ["stair", "case"],
        "category": "Architecture",
        "lvis_category": "bus_(vehicle)",
        "license": "CC-BY-NC-SA-4.0",
        "creator": "The Maker",
        "split": "heldout",
        "sha256": "",
        "details": '{"folder": "000-023"}',
    }
    assert [row["split"] for row in rows] == ["", "heldout", "", "heldout", "", ""]
    assert {row["license"] for row in rows} >= {"CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0"}
    assert len(table_from_rows([{**row, "shard": 0, "annotations": ""} for row in rows], INDEX)) == 6


def test_objects_are_fetched_from_the_endpoint(hub, config, tmp_path):
    gone = f"{ROOT}/glbs/000-023/{uid_of(4)}.glb"
    del hub.files[gone]
    hub.answers[f"{ROOT}/glbs/000-000/{uid_of(0)}.glb"] = [broken_off(200)]
    hub.answers[f"{ROOT}/glbs/000-000/{uid_of(1)}.glb"] = [status(429, Retry_After="0")]
    run = Store(tmp_path, **config())
    assert {row["uid"] for row in run.rows} == {uid_of(n) for n in (0, 1, 2, 3, 5)}
    failure = run.only_failure()
    assert failure.uid == uid_of(4)
    assert f"{hub.url}{gone}: there is no such file (HTTP 404 Not Found)" in failure.message


def test_the_command_line_loses_nothing_and_tries_again(hub, config, tmp_path):
    flags = [f"--assets.{name.replace('_', '-')}={value}" for name, value in config(shard_size=4).items()]
    command = ["--stage", "assets", "--corpus", str(tmp_path / "corpus"), "--workers", "1"]
    away = [f"{ROOT}/glbs/000-000/{uid_of(0)}.glb", f"{ROOT}/glbs/000-023/{uid_of(5)}.glb"]
    for path in away:
        hub.answers[path] = [status(503)] * 99
    assert main([*command, *flags]) == 0
    corpus = Corpus(tmp_path / "corpus")
    errors = [row for shard in range(2) for row in corpus.read_errors("assets", shard)]
    assert {(row["uid"], row["error_class"]) for row in errors} == {(uid_of(n), "Unreachable") for n in (0, 5)}
    hub.answers.clear()
    assert main([*command, "--retry-failed"]) == 0
    rows = [row for shard in range(2) for row in corpus.read_rows("assets", shard)]
    assert sorted(row["uid"] for row in rows) == sorted(uid_of(n) for n in range(6))
    assert not any(corpus.read_errors("assets", shard) for shard in range(2))


def test_a_list_of_uids_needs_the_annotations_of_its_folders_only(hub, config, tmp_path):
    (tmp_path / "uids.txt").write_text(f"{uid_of(5)}\n{uid_of(4)}\n")
    rows = plan(config(path=str(tmp_path / "uids.txt")))
    assert [row["uid"] for row in rows] == [uid_of(4), uid_of(5)]
    assert not hub.asked(f"{ROOT}/metadata/000-000.json.gz")


def test_strangers_in_a_list_are_noted(config, tmp_path, caplog):
    (tmp_path / "uids.csv").write_text(f"name,uid\na,{uid_of(5)}\nb,{uid_of(99)}\nc,{uid_of(5)}\n")
    source = make_source(AssetsConfig(**config(objects=str(tmp_path / "uids.csv"))))
    assert [row["uid"] for row in source.plan()] == [uid_of(5)]
    assert source.unplanned.entries == [uid_of(99)]
    assert f"1 of the 2 names in the list are not in Objaverse 1.0, {uid_of(99)!r} is the first" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [(uid_of(9), "has none of the 1 names"), ("../../etc", "has none of the 1 names"), (None, "cannot be opened")],
)
def test_a_list_of_anything_else_is_a_config_error(config, tmp_path, text, message):
    file = tmp_path / "uids.txt"
    if text:
        file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        plan(config(path=str(file)))
    with pytest.raises(ConfigError, match="both name a list"):
        plan(config(path=str(file), objects=str(file)))


def test_annotations_are_fetched_once(hub, config):
    first = plan(config())
    asked = len(hub.requests)
    assert plan(config()) == first
    assert len(hub.requests) == asked == 4


def test_annotations_survive_what_passes(hub, config):
    hub.answers[PATHS] = [status(500)]
    hub.answers[LVIS] = [broken_off(20)]
    hub.answers[f"{ROOT}/metadata/000-000.json.gz"] = [status(429, Retry_After="0")]
    assert len(plan(config())) == 6


@pytest.mark.parametrize("path", [PATHS, LVIS, f"{ROOT}/metadata/000-023.json.gz"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed({"a": 1})[:-9], "is not a file of the dataset objaverse: it cannot be unpacked"),
        (b"<html>log in</html>", "is not a file of the dataset objaverse: it is a web page"),
        (packed(["other"]), "is not a file of the dataset objaverse: "),
        (gzip.compress(b"{", mtime=0), "is not a file of the dataset objaverse: "),
        (b"", "there is no such file"),
    ],
    ids=["cut", "html", "other form", "no JSON", "404"],
)
def test_bad_annotations_stop_the_plan_and_are_not_kept(hub, config, tmp_path, path, data, message):
    good = hub.files[path]
    hub.files[path] = data
    with pytest.raises(ConfigError, match=message) as caught:
        plan(config())
    assert hub.url + path in str(caught.value)
    assert not list(tmp_path.glob(f"cache/**/{path.rpartition('/')[2]}"))
    assert not list(tmp_path.glob("cache/**/.tmp/*"))
    hub.files[path] = good
    assert len(plan(config())) == 6


def test_a_damaged_cache_is_mended(config, tmp_path, caplog):
    first = plan(config())
    for file in tmp_path.glob("cache/**/*.json.gz"):
        file.write_bytes(file.read_bytes()[:-10])
    assert plan(config()) == first
    assert "is damaged" in caplog.text


ODD = ["kiDgUIcaC7c4YaIcLCJeq4kS7rK", "ysqP6VH2x99bODrQRbcYdQjSLjV", "a", "A", "0" * 64]
WRONG = {
    "b" * 65: f"glbs/000-000/{'b' * 65}.glb",
    "c d": "glbs/000-000/c d.glb",
    "../e": "glbs/000-000/../e.glb",
    "": "glbs/000-000/.glb",
    "f": "../../secrets.glb",
    "g": "glbs/000-000/other.glb",
    "h": "glbs/000-000/H.glb",
    "i": "https://elsewhere/i.glb",
    "j": "glbs/000-\u0660\u0660\u0660/j.glb",
    "k": 5,
    "l": None,
}


def test_any_uid_of_the_published_form_is_planned_and_what_cannot_be_is_noted(hub, config, caplog):
    hub.files[PATHS] = packed({uid: f"glbs/000-000/{uid}.glb" for uid in [uid_of(0), *ODD]} | WRONG)
    hub.files[LVIS] = packed({"stair": ["a"]})
    source = make_source(AssetsConfig(**config()))
    rows = {row["uid"]: row for row in source.plan()}
    assert set(rows) == {uid_of(0), *ODD}
    assert rows["a"]["lvis_category"] == "stair"
    assert rows["A"]["lvis_category"] == ""
    assert source.unplanned.entries == list(WRONG)
    assert source.unplanned.reasons[0] == "object-paths.json.gz: its uid is not of letters and digits, 1 to 64"
    assert source.unplanned.reasons[4] == "object-paths.json.gz: '../../secrets.glb' is not a path of this object"


def test_what_cannot_be_planned_is_told_once_and_kept(hub, config, tmp_path, caplog):
    hub.files[PATHS] = packed(
        {uid_of(0): f"glbs/000-000/{uid_of(0)}.glb", ODD[0]: f"glbs/000-000/{ODD[0]}.glb"} | WRONG
    )
    corpus = Corpus(tmp_path)
    assert ensure_planned(corpus, Config(assets=AssetsConfig(**config()))).objects == 2
    (warning,) = [record.message for record in caplog.records if "object-paths.json.gz" in record.message]
    assert f"{len(WRONG)} entries that cannot be planned ('{'b' * 65}': object-paths.json.gz: its uid" in warning
    assert pq.read_table(tmp_path / "unplanned.parquet").column("entry").to_pylist() == list(WRONG)


@pytest.mark.parametrize("path", ["../../secrets.glb", "glbs/000-000/other.glb", "https://elsewhere/x.glb", "", 5])
def test_paths_none_of_which_is_the_datasets_are_refused(hub, config, path):
    hub.files[PATHS] = packed({uid_of(0): path})
    with pytest.raises(
        ConfigError, match="is not a file of the dataset objaverse: it lists no object; .* is not a path"
    ):
        plan(config())


def test_lvis_entries_of_another_form_are_counted(hub, config, caplog):
    lists = {"stair": [uid_of(1), uid_of(99), uid_of(98)], "zebra": uid_of(2), "ax": [5, None, "not a uid", uid_of(0)]}
    hub.files[LVIS] = packed(lists)
    rows = {row["uid"]: row["lvis_category"] for row in plan(config())}
    assert {uid: category for uid, category in rows.items() if category} == {uid_of(1): "stair", uid_of(0): "ax"}
    assert "4 entries of lvis-annotations.json.gz are not as they should be, and are not used; the first" in caplog.text
    assert f"2 uids in lvis-annotations.json.gz are not in the dataset; the first is {uid_of(99)} in" in caplog.text


def test_an_annotation_of_another_form_costs_its_object_that_part_alone(hub, config, caplog):
    wrong = annotation(0) | {"tags": "x", "name": 5}
    deep = annotation(1, "cc0") | {
        "tags": [{"name": "wood"}, 7, {"name": {}}, {"name": "oak"}],
        "user": {"username": ["a"]},
    }
    hub.files[f"{ROOT}/metadata/000-000.json.gz"] = packed({uid_of(0): wrong, uid_of(1): deep, uid_of(2): "nothing"})
    rows = plan(config())
    assert len(rows) == 6
    told = [(row["name"], row["tags"], row["creator"], row["license"]) for row in rows[:3]]
    assert told == [
        ("", [], "The Maker", "CC-BY-4.0"),
        ("Object 1", ["wood", "oak"], "", "CC0-1.0"),
        ("", [], "", ""),
    ]
    assert "3 objects have an annotation that is not as it should be" in caplog.text
    assert f"the first is {uid_of(0)} (name Input should be a valid string)" in caplog.text


def test_objects_without_an_annotation_are_counted(hub, config, caplog):
    hub.files[f"{ROOT}/metadata/000-000.json.gz"] = packed({uid_of(0): annotation(0)})
    assert [row["name"] for row in plan(config())[:3]] == ["Object 0", "", ""]
    assert "2 objects have no annotation, and are planned without one" in caplog.text


def test_sparse_annotations_are_no_reason_to_lose_an_object(hub, config):
    nothing = dict.fromkeys(("name", "tags", "categories", "user", "license", "viewerUrl"))
    hub.files[f"{ROOT}/metadata/000-000.json.gz"] = packed({uid_of(0): {}, uid_of(1): nothing})
    rows = plan(config())
    assert len(rows) == 6
    for row in rows[:3]:
        assert (row["name"], row["tags"], row["category"], row["license"], row["creator"]) == ("", [], "", "", "")
        assert row["origin_uri"] == f"https://sketchfab.com/3d-models/{row['uid']}"


def test_the_endpoint_comes_from_config_or_environment(hub, config, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/")
    assert len(plan(config(endpoint=""))) == 6
    monkeypatch.setenv("HF_ENDPOINT", "ftp://hub")
    assert len(plan(config())) == 6
    with pytest.raises(ConfigError, match=r"HF_ENDPOINT: 'ftp://hub' is not an http"):
        plan(config(endpoint=""))
