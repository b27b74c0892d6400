"""The package `objaverse` and our own reader: they say the same, and the package's faults stay outside."""

import gzip
import importlib.util
import logging
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import objaverse
import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse.readers import OwnReader, PackageReader, chosen_reader
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.asset_server import broken_off
from tests.pipeline.assets.objaverse_hub import (
    FAST,
    LVIS,
    PATHS,
    ROOT,
    Hub,
    annotation,
    packed,
    uid_of,
)

HOST = "https://huggingface.co/datasets/allenai/objaverse/resolve/main"
ODD = {"000-000": ["kiDgUIcaC7c4YaIcLCJeq4kS7rK", "a", "A"], "000-159": ["0" * 64]}


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as hub:
        folders = {folder: [uid_of(n) for n in numbers] for folder, numbers in Hub.FOLDERS.items()}
        folders = {folder: folders.get(folder, []) + ODD.get(folder, []) for folder in {**folders, **ODD}}
        hub.files[PATHS] = packed({uid: f"glbs/{folder}/{uid}.glb" for folder in folders for uid in folders[folder]})
        hub.files[LVIS] = packed({"stair": [uid_of(1), "a"], "bus": [uid_of(3), "0" * 64], "zebra": [uid_of(3)]})
        for number, (folder, uids) in enumerate(folders.items()):
            told = {uid: annotation(number * 10 + place) | {"uid": uid} for place, uid in enumerate(uids)}
            hub.files[f"{ROOT}/metadata/{folder}.json.gz"] = packed(told)
        yield hub


@pytest.fixture
def config(hub, tmp_path):
    def make(**fields) -> AssetsConfig:
        return AssetsConfig(source="objaverse", endpoint=hub.url, cache=str(tmp_path / "cache"), **FAST, **fields)

    return make


def rows_of(config: AssetsConfig) -> dict[str, dict]:
    return {row["uid"]: row for row in make_source(config).plan()}


@pytest.fixture
def package(hub, tmp_path, monkeypatch):
    """The package itself, on the loopback hub instead of the address that is written into it."""

    def fetch(address: str, path: str) -> None:
        assert address.startswith(HOST)
        with urllib.request.urlopen(hub.url + ROOT + address.removeprefix(HOST)) as answer:
            Path(path).write_bytes(answer.read())

    monkeypatch.setattr(urllib.request, "urlretrieve", fetch)
    monkeypatch.setattr(objaverse, "BASE_PATH", str(tmp_path / "package"))
    monkeypatch.setattr(objaverse, "_VERSIONED_PATH", str(tmp_path / "package" / "hf-objaverse-v1"))
    return objaverse


def test_we_say_what_the_package_says(config, package):
    rows = rows_of(config())
    assert set(rows) == set(package.load_uids())
    assert {*ODD["000-000"], *ODD["000-159"]} <= rows.keys()
    paths = package._load_object_paths()
    source = make_source(config())
    assert {uid: source.files.url(paths[uid]) for uid in rows} == {
        uid: source.files.url(f"glbs/{folder}/{uid}.glb")
        for folder, uids in source.files.uids_by_folder().items()
        for uid in uids
    }
    by_category = package.load_lvis_annotations()
    lists = {uid: [category for category in by_category if uid in by_category[category]] for uid in rows}
    assert {uid: row["lvis_category"] for uid, row in rows.items()} == {
        uid: min(categories, default="") for uid, categories in lists.items()
    }
    told = package.load_annotations(list(rows))
    assert {uid: (row["name"], row["tags"], row["origin_uri"], row["creator"]) for uid, row in rows.items()} == {
        uid: (one["name"], [tag["name"] for tag in one["tags"]], one["viewerUrl"], one["user"]["displayName"])
        for uid, one in told.items()
    }


def test_both_readers_give_equal_rows_and_the_log_says_which_read(config, hub, monkeypatch, caplog):
    odd = {
        uid_of(0): annotation(0) | {"tags": "x"},
        uid_of(1): None,
        uid_of(2): annotation(2) | {"name": "\ud83d\ude00"},
    }
    hub.files[f"{ROOT}/metadata/000-000.json.gz"] = packed(odd)
    caplog.set_level(logging.INFO)
    by_package = rows_of(config())
    assert f"are read by the package objaverse {objaverse.__version__}" in caplog.text
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert rows_of(config()) == by_package
    assert "are read by the pipeline's own reader: the package objaverse is not installed" in caplog.text
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == warned


def test_the_packages_faults_do_not_reach_a_run(config, hub, monkeypatch, tmp_path):
    """No request is the package's, a file that is cut off is not kept, and nobody's cache or module is touched."""
    monkeypatch.setattr(urllib.request, "urlretrieve", lambda *_: pytest.fail("the package fetches"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = dict(vars(objaverse))
    hub.answers[PATHS] = [broken_off(30)]
    hub.answers[f"{ROOT}/metadata/000-159.json.gz"] = [broken_off(30)]
    assert len(rows_of(config())) == 10
    assert {headers["user-agent"] for _, headers in hub.requests} == {"clip-gs-corpus"}
    assert vars(objaverse) == before
    assert not (tmp_path / "home").exists()


def test_a_damaged_cache_is_mended(config, tmp_path, caplog):
    first = rows_of(config())
    damages = [lambda data: data[:-10], lambda data: b"", lambda data: gzip.compress(b'["other"]')]
    for damage, file in zip(damages, sorted(tmp_path.glob("cache/**/*.json.gz")), strict=False):
        file.write_bytes(damage(file.read_bytes()))
    assert rows_of(config()) == first
    assert caplog.text.count("is damaged") == 3


def test_threads_read_folders_of_their_own(tmp_path):
    reader = chosen_reader()
    assert isinstance(reader, PackageReader)
    files = {}
    for number in range(8):
        files[number] = tmp_path / f"{number}.json.gz"
        files[number].write_bytes(packed({uid_of(number): annotation(number)}))

    def name(number: int) -> str:
        return reader.annotations(files[number], f"000-00{number}", [uid_of(number)])[uid_of(number)]["name"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(name, range(8))) == [f"Object {number}" for number in range(8)]


def test_a_package_that_fetches_nonetheless_is_stopped(tmp_path, monkeypatch):
    """The one that is installed does, for a folder whose file it does not find."""
    reader = chosen_reader()
    monkeypatch.setattr("pipeline.assets.objaverse.readers.metadata_path", lambda folder: "metadata/elsewhere.json.gz")
    (tmp_path / "file.json.gz").write_bytes(packed({}))
    with pytest.raises(ConfigError, match=r"wants to fetch https://huggingface\.co/.*/000-007\.json\.gz, which"):
        reader.annotations(tmp_path / "file.json.gz", "000-007", ["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise RuntimeError('no')", "it cannot be imported (no)"),
        ("load_uids = 1", "it has no _VERSIONED_PATH, "),
    ],
)
def test_another_package_of_that_name_is_announced_and_not_used(tmp_path, monkeypatch, caplog, content, message):
    (tmp_path / "objaverse").mkdir()
    (tmp_path / "objaverse" / "__init__.py").write_text(content)
    monkeypatch.delitem(sys.modules, "objaverse")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(chosen_reader(), OwnReader)
    assert f"by the pipeline's own reader, not the package objaverse: {message}" in caplog.text


def test_a_bomb_is_refused_by_both(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.assets.objaverse.readers.MAX_UNPACKED_BYTES", 1000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b'{"a": "' + b"a" * 2000 + b'"}'))
    for reader in (OwnReader(), chosen_reader()):
        with pytest.raises(ValueError, match="it unpacks to more than 1000 bytes"):
            reader.object_paths(tmp_path / "bomb.gz")
