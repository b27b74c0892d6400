"""Copies of Objaverse 1.0 on a disk, in the layouts that people have."""

import hashlib
import logging
import shutil
from pathlib import Path

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse.dataset import REVISION
from pipeline.assets.objaverse.local_copy import LocalCopy
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.asset_makers import Store, box_glb
from tests.pipeline.assets.objaverse.test_xl_source import TABLES, table
from tests.pipeline.assets.objaverse_hub import FAST, ROOT, Hub, uid_of

NOWHERE = "http://127.0.0.1:9"  # the port that nobody listens at


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as hub:
        yield hub


@pytest.fixture
def config(hub, tmp_path):
    def make(local: Path | str = "", **fields) -> dict:
        places = {"endpoint": hub.url, "cache": str(tmp_path / "cache"), "local": str(local)}
        return {"source": "objaverse"} | places | FAST | fields

    return make


def file_of(root: Path, number: int) -> Path:
    return root / "glbs" / ("000-000" if number < 3 else "000-023") / f"{uid_of(number)}.glb"


def plain(hub: Hub, folder: Path) -> Path:
    """All of the dataset, as the package keeps it."""
    for path, data in hub.files.items():
        if path.startswith(ROOT):
            file = folder / path.removeprefix(f"{ROOT}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    return folder


def snapshot(hub: Hub, repository: Path, revision: str = REVISION) -> Path:
    """All of the dataset, as the hub library keeps it: links to blobs, those of large files named by their SHA-256."""
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    root = plain(hub, repository / "snapshots" / revision)
    for file in [path for path in root.rglob("*") if path.is_file()]:
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(blob)
    return root


def rows_of(config: dict) -> list[dict]:
    return list(make_source(AssetsConfig(**config)).plan())


def test_a_whole_copy_plans_and_builds_without_a_network(hub, config, tmp_path, caplog):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    expected = Store(tmp_path / "a", **config())
    copy = plain(hub, tmp_path / "hf-objaverse-v1")
    caplog.set_level(logging.INFO)
    run = Store(tmp_path / "b", **config(copy, endpoint=NOWHERE, cache=str(tmp_path / "other")))
    assert run.plan == expected.plan
    assert run.rows == expected.rows
    assert len(run.rows) == 6
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    run.stage.close()
    assert "assets.local: all 6 objects were taken from the copy" in caplog.text


@pytest.mark.parametrize(
    "named",
    ["copy", "copy/..", "copy/glbs", "snapshot", "repository", "hub cache", "home", "link", "two"],
)
def test_the_layouts_that_people_have(hub, config, tmp_path, monkeypatch, named):
    copy = plain(hub, tmp_path / ".objaverse" / "hf-objaverse-v1")
    repository = tmp_path / "hub" / "datasets--allenai--objaverse"
    revision = snapshot(hub, repository)
    shutil.copytree(revision, repository / "snapshots" / ("0" * 40), symlinks=True)
    (tmp_path / "empty" / "glbs" / "000-000").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(revision)
    places = {
        "copy": copy,
        "copy/..": copy.parent,
        "copy/glbs": copy / "glbs",
        "snapshot": revision,
        "repository": repository,
        "hub cache": repository.parent,
        "home": "~/.objaverse/hf-objaverse-v1/",
        "link": tmp_path / "link",
        "two": f"{tmp_path / 'empty'}, {copy}",
    }
    run = Store(tmp_path, **config(places[named], endpoint=NOWHERE))
    assert len(run.rows) == 6
    assert not hub.requests


def test_what_is_not_whole_or_not_the_right_one_is_fetched(hub, config, tmp_path, caplog):
    copy = plain(hub, tmp_path / "copy")
    file_of(copy, 0).write_bytes(box_glb()[:-8])
    file_of(copy, 1).write_bytes(box_glb() + bytes(8))
    file_of(copy, 2).write_bytes(b"<html>log in</html>")
    file_of(copy, 3).unlink()
    file_of(copy, 4).unlink()
    file_of(copy, 4).symlink_to(tmp_path / "outside.glb")
    (tmp_path / "outside.glb").write_bytes(box_glb())
    run = Store(tmp_path, **config(copy))
    assert len(run.rows) == 6
    assert "assets.local: 1 of 6 objects are not in the copy and will be fetched" in caplog.text
    taken = [number for number in range(6) if not hub.asked(f"{ROOT}/{file_of(Path(), number).as_posix()}")]
    assert taken == [5]
    assert caplog.text.count("is not used: ") == 1
    run.stage.close()
    told = "assets.local: 1 objects were taken from the copy; 5 were fetched, as it lacks them or has them damaged (4)"
    assert told in caplog.text


def test_a_file_whose_checksum_is_known_must_have_it(hub, config, tmp_path, caplog):
    copy = plain(hub, tmp_path / "copy")
    other = box_glb().replace(b"trimesh", b"Trimesh")
    assert other != box_glb() and len(other) == len(box_glb())
    file_of(copy, 0).write_bytes(other)
    good = hashlib.sha256(box_glb()).hexdigest()
    page = "https://sketchfab.com/3d-models"
    hub.files[TABLES["sketchfab"]] = table(*((f"{page}/{uid_of(n)}", "sketchfab", "", "glb", good) for n in range(6)))
    run = Store(tmp_path, **config(copy, source="objaverse-xl", path="sketchfab"))
    assert len(run.rows) == 6
    assert {row["sha256"] for row in run.rows} == {good}
    assert [path for path, _ in hub.requests if path.endswith(".glb")] == [f"{ROOT}/glbs/000-000/{uid_of(0)}.glb"]
    assert f"its SHA-256 is not {good}" in caplog.text
    # The table is in the cache now, and 1.0 knows the checksums, too.
    assert {row["sha256"] for row in rows_of(config(copy))} == {good}


def test_a_blob_of_the_hub_library_must_have_the_checksum_of_its_name(hub, config, tmp_path):
    root = snapshot(hub, tmp_path / "datasets--allenai--objaverse")
    blob = file_of(root, 5).resolve()
    blob.write_bytes(blob.read_bytes().replace(b"trimesh", b"Trimesh"))
    copy = LocalCopy(AssetsConfig(local=str(root)), REVISION)
    assert copy.find("000-023", uid_of(5), "") is None


def test_annotations_of_a_copy_that_are_not_whole_come_from_the_hub(hub, config, tmp_path, caplog):
    expected = rows_of(config(cache=str(tmp_path / "other")))
    copy = plain(hub, tmp_path / "copy")
    for name in ("object-paths.json.gz", "metadata/000-000.json.gz"):
        (copy / name).write_bytes((copy / name).read_bytes()[:-9])
    (copy / "lvis-annotations.json.gz").unlink()
    hub.requests.clear()
    assert rows_of(config(copy)) == expected
    assert caplog.text.count("is not used: it cannot be unpacked") == 1
    told = (
        "3 of the dataset's own files are not whole in assets.local, and come from the hub; the first is object-paths"
    )
    assert told in caplog.text
    asked = ["object-paths.json.gz", "lvis-annotations.json.gz", "metadata/000-000.json.gz"]
    assert [path.removeprefix(f"{ROOT}/") for path, _ in hub.requests] == asked


@pytest.mark.parametrize(
    ("local", "message"),
    [
        ("nowhere", r"assets\.local: '.*nowhere' is not a folder"),
        ("empty", r"assets\.local: '.*empty' holds nothing of Objaverse 1\.0: there is no object-paths"),
        ("file", r"assets\.local: '.*file' is not a folder"),
        ("copy, nowhere", r"assets\.local: 'nowhere' is not a folder"),
    ],
)
def test_a_folder_without_the_dataset_is_a_config_error(hub, config, tmp_path, local, message):
    plain(hub, tmp_path / "copy")
    (tmp_path / "empty" / "glbs" / "others").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=message):
        rows_of(config(f"{tmp_path}/{local}"))


def test_another_revision_is_announced(hub, config, tmp_path, caplog):
    snapshot(hub, tmp_path / "datasets--allenai--objaverse", "f" * 40)
    assert len(rows_of(config(tmp_path))) == 6
    assert f"is of revision {'f' * 40}; the dataset is planned at {REVISION}" in caplog.text
