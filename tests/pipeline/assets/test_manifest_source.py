"""Tables of addresses: from CSV and Parquet, over a server on loopback, to stored assets."""

import csv
import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from pipeline.state.listing import Listing
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import INDEX
from tests.pipeline.assets.asset_makers import Store, box_glb, glb_of, gltf_document, obj
from tests.pipeline.assets.asset_server import AssetServer, broken_off, silent, status

FAST = {"requests_per_second": 0, "retries": 1, "backoff_s": 0.01, "read_timeout_s": 0.3, "timeout_s": 3}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with AssetServer() as server:
        yield server


@pytest.fixture
def store(server, tmp_path):
    """Stores what a CSV table of the given rows names; `url` is relative to the server."""

    def make(*rows: dict[str, str], **config) -> Store:
        rows = [{**row, "url": server.url + row["url"]} if row["url"].startswith("/") else row for row in rows]
        path = write_csv(tmp_path / "table.csv", rows)
        return Store(tmp_path, source="manifest", path=path, **(FAST | config))

    return make


def write_csv(path, rows: list[dict[str, str]], encoding: str = "utf-8") -> str:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys(key for row in rows for key in row), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def plan(path: str, **config) -> list[dict]:
    return list(make_source(AssetsConfig(source="manifest", path=path, **config)).plan())


def test_a_row_becomes_an_asset_with_what_is_known_of_it(server, store):
    server.files["/x/chair.GLB"] = box_glb()
    known = {
        "uid": "chair-1",
        "name": "Oak chair",
        "category": "furniture",
        "lvis_category": "chair",
        "license": "CC0-1.0",
        "creator": "me",
        "split": "heldout",
    }
    digest = hashlib.sha256(box_glb()).hexdigest()
    run = store({"url": "/x/chair.GLB?v=2", "sha256": digest, "tags": "wood, seat,", **known})
    row = run.only_row()
    assert {key: row[key] for key in known} == known
    assert row["tags"] == ["wood", "seat"]
    assert row["origin_uri"] == f"{server.url}/x/chair.GLB?v=2"
    assert (row["format"], row["sha256"]) == ("glb", digest)
    assert run.stored(row).read_bytes() == box_glb()


def test_each_failure_is_one_typed_error_beside_the_good_ones(server, store):
    urls = [f"/{name}.glb" for name in ("good", "gone", "busy", "cut", "mute", "fake", "once", "text", "large")]
    server.files |= dict.fromkeys(urls, box_glb())
    del server.files["/gone.glb"]
    server.files["/text.glb"] = b"<html>please log in</html>"
    server.files["/large.glb"] = bytes(30_000)
    server.answers["/busy.glb"] = [status(503)] * 9
    server.answers["/cut.glb"] = [broken_off(100, ETag="")] * 9
    server.answers["/mute.glb"] = [silent(0, 0.6)] * 9
    server.answers["/once.glb"] = [status(500)]
    rows = [{"uid": url[1:-4], "url": url, "sha256": "0" * 64 if "fake" in url else ""} for url in urls]
    odd = {"odd": "ftp://somewhere/x.glb", "bare": "", "doc": "/x.pdf"}
    rows += [{"uid": uid, "url": url} for uid, url in odd.items()]
    run = store(*rows, max_bytes=20_000)
    assert {row["uid"] for row in run.rows} == {"good", "once"}
    assert {failure.uid: (failure.error_class, failure.retryable) for failure in run.failures} == {
        "gone": ("Missing", False),
        "busy": ("Unreachable", True),
        "cut": ("Unreachable", True),
        "mute": ("Timeout", True),
        "fake": ("Modified", False),
        "text": ("AssetError", False),
        "large": ("AssetError", False),
        "odd": ("AssetError", False),
        "bare": ("AssetError", False),
        "doc": ("AssetError", False),
    }
    addresses = {row["uid"]: row["origin_uri"] for row in run.plan}
    for failure in run.failures:
        assert failure.message.startswith(f"object {failure.uid}: ")
        assert addresses[failure.uid] in failure.message
    assert not list(run.scratch.iterdir())


def test_files_beside_a_remote_asset_are_not_fetched(server, store):
    server.files |= {"/box.obj": obj("paint.mtl"), "/paint.mtl": b"newmtl paint", "/mesh.bin": bytes(36)}
    server.files["/a.glb"] = glb_of(gltf_document("mesh.bin"))
    run = store({"uid": "box", "url": "/box.obj"}, {"uid": "a", "url": "/a.glb"})
    assert [(row["uid"], row["missing_textures"]) for row in run.rows] == [("box", ["paint.mtl"])]
    assert "'mesh.bin', which it needs, is missing" in run.failures[0].message
    assert {path for path, _ in server.requests} == {"/box.obj", "/a.glb"}


def test_the_format_column_stands_in_for_the_ending(server, store):
    server.files["/download"] = box_glb()
    row = store({"url": "/download?id=5", "format": ".GLB"}).only_row()
    assert row["format"] == "glb"
    assert row["uid"].startswith("download-")


def test_parquet_and_csv_give_the_same_plan(tmp_path):
    rows = [
        {"url": "https://a.org/1.glb", "uid": "one", "name": "Stühle, zwei", "license": "CC0-1.0"},
        {"url": "https://a.org/2.obj", "uid": "", "name": "", "license": ""},
    ]
    as_csv = write_csv(tmp_path / "t.csv", [rows[0] | {"tags": "a,b"}, rows[1] | {"tags": ""}], "utf-8-sig")
    columns = {key: [row[key] or None for row in rows] for key in rows[0]} | {"tags": [["a", "b"], None]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    planned = plan(as_csv)
    assert planned == plan(str(tmp_path / "t.parquet"))
    assert [row["uid"] for row in planned][0] == "one"
    assert planned[0]["tags"] == ["a", "b"]
    assert len(table_from_rows([{**row, "shard": 0, "annotations": ""} for row in planned], INDEX)) == 2


def test_unused_columns_are_named(tmp_path, caplog):
    plan(write_csv(tmp_path / "t.csv", [{"url": "https://a.org/1.glb", "licence": "CC0"}]))
    assert "unused columns: licence" in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"uid,name\na,b\n", "no column 'url', only uid, name"),
        ("t.csv", b"", "no column 'url'"),
        ("t.csv", b"url,name\nhttp://a/b.glb,\xff\xfe\n", "cannot be read"),
        ("t.csv", b"url,split\nhttp://a/b.glb,test\n", "split 'test' is not one of train, val, heldout"),
        ("t.parquet", b"PAR1 not really", "cannot be read"),
        ("t.txt", b"", "is not a table"),
    ],
)
def test_a_table_that_is_none_is_a_config_error(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        plan(str(tmp_path / name))


@pytest.mark.parametrize("path", ["", "nowhere.csv"])
def test_no_table_is_a_config_error(path):
    with pytest.raises(ConfigError, match=r"assets\.path"):
        plan(path)


def test_licences_keep_objects_out_and_are_counted(tmp_path, caplog):
    licenses = ["CC0", "by", "CC-BY-NC-4.0", "CC-BY-NC-4.0", ""]
    rows = [{"url": f"https://a.org/{i}.glb", "license": license_} for i, license_ in enumerate(licenses)]
    accepted = "cc0-1.0, Creative Commons Attribution"
    config = AssetsConfig(source="manifest", path=write_csv(tmp_path / "t.csv", rows), licenses=accepted)
    listing = Listing(config)
    [index] = listing.pieces(tmp_path)
    assert set(index.column("license").to_pylist()) == {"CC0-1.0", "CC-BY-4.0"}
    assert listing.left_out_licenses == {"CC-BY-NC-4.0": 2, "": 1}
    assert "2 of 'CC-BY-NC-4.0'" in caplog.text
    with pytest.raises(ConfigError, match="finds no asset .* which assets.licenses excludes"):
        Listing(config.model_copy(update={"licenses": "MIT"})).count(tmp_path)
