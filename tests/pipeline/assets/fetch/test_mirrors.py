"""Mirrors on a disk: what settings name by `file://` is used like the hub, and nothing outside it is reached."""

import hashlib
import os

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.hub import HubDataset
from pipeline.assets.manifest import ManifestSource
from pipeline.base.errors import AssetError, ConfigError, Missing
from tests.pipeline.assets.asset_makers import Store
from tests.pipeline.assets.objaverse_hub import ROOT, Hub, uid_of

REPOSITORY, REVISION = "datasets/allenai/objaverse", "21e4"
DATA = b"glTF" * 100


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "my mirror%20"
    root.mkdir()
    return root


@pytest.fixture
def dataset(root, tmp_path):
    def make(max_bytes: int = 10**6, **fields) -> HubDataset:
        config = AssetsConfig(**({"endpoint": root.as_uri(), "cache": str(tmp_path / "cache")} | fields))
        return HubDataset(config, Downloader(config), REPOSITORY, REVISION, max_bytes)

    return make


def put(path, data: bytes = DATA):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fetched(dataset: HubDataset, path: str, tmp_path, sha256: str = "", max_bytes: int = 10**6) -> bytes:
    dataset._downloader.fetch(dataset.url(path), tmp_path / "got", max_bytes, sha256)
    return (tmp_path / "got").read_bytes()


@pytest.mark.parametrize("layout", [f"{REPOSITORY}/resolve/{REVISION}/", f"{REPOSITORY}/", ""])
def test_a_mirror_has_one_of_three_layouts(root, dataset, tmp_path, layout):
    model = put(root / f"{layout}glbs/000-000/a b#1.glb")
    index = put(root / f"{layout}index.json.gz")
    hub = dataset()
    assert fetched(hub, "glbs/000-000/a b#1.glb", tmp_path, hashlib.sha256(DATA).hexdigest()) == DATA
    assert hub.kept("glbs/000-000/a b#1.glb") == model
    assert hub.read("index.json.gz", lambda file: file) == index
    assert not (tmp_path / "cache").exists()


def test_the_environment_may_name_it_too(root, dataset, tmp_path, monkeypatch):
    put(root / "x.glb")
    monkeypatch.setenv("HF_ENDPOINT", root.as_uri())
    assert fetched(dataset(endpoint=""), "x.glb", tmp_path) == DATA


def test_github_may_be_mirrored(root, tmp_path):
    put(root / "owner" / "repo" / "c0ffee" / "a%20b.glb")
    config = AssetsConfig(github=f"{root.as_uri()}/")
    Downloader(config).fetch(f"{config.github}owner/repo/c0ffee/a%2520b.glb", tmp_path / "got", 10**6)
    assert (tmp_path / "got").read_bytes() == DATA


def test_what_holds_for_servers_holds_for_mirrors(root, dataset, tmp_path):
    put(root / "x.glb")
    with pytest.raises(AssetError, match="400 bytes or more; the limit is 399"):
        fetched(dataset(), "x.glb", tmp_path, max_bytes=399)
    with pytest.raises(AssetError, match="its SHA-256 is"):
        fetched(dataset(), "x.glb", tmp_path, "0" * 64)
    with pytest.raises(Missing, match=r"gone\.glb: there is no such file in the mirror"):
        fetched(dataset(), "gone.glb", tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.json\.gz: there is no such file in the mirror"):
        dataset().read("gone.json.gz", lambda file: file)
    with pytest.raises(ConfigError, match="more than 399 bytes"):
        dataset(max_bytes=399).kept("x.glb")
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


@pytest.mark.parametrize("path", ["../secret.glb", "link.glb", "folder/secret.glb", "x%00.glb", "glbs", "pipe.glb"])
def test_nothing_outside_and_nothing_but_files(root, dataset, tmp_path, path):
    secret = put(tmp_path / "outside" / "secret.glb")
    put(tmp_path / "secret.glb")
    (root / "link.glb").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    (root / "glbs").mkdir()
    os.mkfifo(root / "pipe.glb")
    downloader = dataset()._downloader
    with pytest.raises(AssetError, match="not below a folder|not a plain file|cannot be opened"):
        downloader.fetch(f"{root.as_uri()}/{path}", tmp_path / "got", 10**6)
    assert not (tmp_path / "got").exists()


def test_links_within_the_mirror_are_followed(root, dataset, tmp_path):
    put(root / "blobs" / "1")
    (root / "x.glb").symlink_to("blobs/1")
    assert fetched(dataset(), "x.glb", tmp_path) == DATA


@pytest.mark.parametrize("address", ["file://data/mirror", "file:mirror", "file:///no/such", "file:///a%00b"])
def test_a_mirror_that_is_no_folder_is_a_line(dataset, address):
    with pytest.raises(ConfigError, match=r"^assets\.endpoint: 'file:"):
        dataset(endpoint=address)


def test_a_table_may_not_name_what_settings_may(root, tmp_path):
    model = put(root / "x.glb")
    source = ManifestSource(AssetsConfig(source="manifest", endpoint=root.as_uri()))
    row = {"origin_uri": model.as_uri(), "details": '{"format": "glb"}', "sha256": ""}
    (tmp_path / "folder").mkdir()
    with pytest.raises(AssetError, match="is not an http"):
        source.fetch(row, tmp_path / "folder")


def test_a_damaged_file_of_a_mirror_is_named(root, dataset):
    put(root / "index.json.gz", b"<!DOCTYPE html><p>log in")

    def parse(file):
        raise ValueError("it cannot be unpacked")

    with pytest.raises(ConfigError, match=r"index\.json\.gz is not a file of the dataset objaverse: it is a web page"):
        dataset().read("index.json.gz", parse)


@pytest.fixture
def copy_of_hub(root):
    """A folder with the files of the hub that other tests have, without the address's part before them."""
    with Hub() as hub:
        for path, data in hub.files.items():
            put(root / path.removeprefix(f"{ROOT}/"), data)
    return root


def test_objaverse_is_planned_and_fetched_from_a_disk(copy_of_hub, tmp_path):
    gone = uid_of(2)
    (copy_of_hub / f"glbs/000-000/{gone}.glb").unlink()
    config = {"source": "objaverse", "endpoint": copy_of_hub.as_uri(), "cache": str(tmp_path / "cache")}
    store = Store(tmp_path, **config)
    assert {row["uid"] for row in store.rows} == {uid_of(number) for number in (0, 1, 3, 4, 5)}
    [failure] = store.failures
    assert failure.error_class == "Missing"
    assert not (tmp_path / "cache").exists()
