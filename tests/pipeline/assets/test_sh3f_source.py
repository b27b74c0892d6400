"""Sweet Home 3D libraries, built here."""

import json
import zipfile

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.asset_makers import Store, mtl, obj, png, write_library

HEAD = """# a comment
id=Test#Models
name=Test models
license=Creative Commons Attribution 3.0  Copyright \xa9 2020 Somebody
"""
CHAIR = r"""
id#1=Test#oak chair
name#1=Caf\u00e9 chair
tags#1=Seat, Wood
category#1=Living room
creator#1=Ren\u00e9
model#1=/test/chair/chair.obj
width#1=40
"""
LAMP = """
id#2=Test#lamp
name#2=H\xf4tel lamp
model#2=/test/lamp/lamp.obj
modelRotation#2=1 0 0 0 0 1 0 -1 0
license#2=CC0-1.0
"""
CHAIR_FILES = {
    "test/chair/chair.obj": obj(),
    "test/chair/paint.mtl": mtl("red.png"),
    "test/chair/red.png": png(),
    "test/chair.png": png((9, 9, 9)),
}
LAMP_FILES = {"test/lamp/lamp.obj": obj()}


def plan_of(path) -> list[dict]:
    return list(make_source(AssetsConfig(source="sh3f", path=str(path))).plan())


def test_catalogue_becomes_index_rows(tmp_path):
    library = write_library(tmp_path / "My lib.sh3f", HEAD + CHAIR + LAMP, {})
    chair, lamp = plan_of(library)
    assert chair == {
        "uid": "sh3f-My-lib-oak-chair",
        "source": "sh3f",
        "origin_uri": "My lib.sh3f!/test/chair/chair.obj",
        "name": "Café chair",
        "tags": ["Seat", "Wood"],
        "category": "Living room",
        "lvis_category": "",
        "license": "CC-BY-3.0",
        "creator": "René, © 2020 Somebody",
        "split": "",
        "sha256": "",
        "details": json.dumps({"library": "My lib.sh3f", "model": "test/chair/chair.obj", "rotation": ""}),
    }
    assert (lamp["name"], lamp["license"], lamp["tags"]) == ("Hôtel lamp", "CC0-1.0", [])


def test_english_text_wins_over_the_librarys_own_language(tmp_path):
    catalogue = HEAD + CHAIR.replace(r"Caf\u00e9 chair", "Chaise")
    library = write_library(
        tmp_path / "l.sh3f",
        catalogue,
        {
            "PluginFurnitureCatalog_en.properties": b"name#1=Chair",
            "PluginFurnitureCatalog_de.properties": b"name#1=Stuhl",
        },
    )
    assert plan_of(library)[0]["name"] == "Chair"


def test_a_licence_note_beside_the_model_wins(tmp_path):
    note = b"<h3>Released under <a href='x'>Creative Commons Attribution 3.0</a></h3><p>You may"
    members = {"test/chair/89509 - LICENSE.html": note, "LICENSE.TXT": b"Released under nothing"}
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR + LAMP, members)
    chair, lamp = plan_of(library)
    assert chair["license"] == "CC-BY-3.0"
    assert lamp["license"] == "CC0-1.0"


def test_pieces_are_stored_with_their_files_and_rotation(tmp_path):
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR + LAMP, {**CHAIR_FILES, **LAMP_FILES})
    run = Store(tmp_path, source="sh3f", path=str(library))
    assert not run.failures
    chair, lamp = run.rows
    assert list(run.stored_members(chair)) == ["asset.obj", "paint.mtl", "red.png"]
    assert chair["rotation"] == []
    assert (chair["name"], chair["category"], chair["up_axis"]) == ("Café chair", "Living room", "y")
    assert lamp["rotation"] == [1, 0, 0, 0, 0, 1, 0, -1, 0]
    assert lamp["missing_textures"] == ["paint.mtl"]


def test_names_that_climb_or_differ_by_case_lead_to_members(tmp_path):
    files = {"test/chair/chair.obj": obj("PAINT.mtl"), "test/chair/paint.mtl": mtl("../tex/red.png", "../../../x.png")}
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR, {**files, "test/tex/Red.PNG": png()})
    run = Store(tmp_path, source="sh3f", path=str(library))
    row = run.only_row()
    assert list(run.stored_members(row)) == ["chair/PAINT.mtl", "chair/asset.obj", "tex/red.png"]
    assert row["missing_textures"] == ["../../../x.png"]


def test_several_libraries_make_one_source(tmp_path):
    first = write_library(tmp_path / "a.sh3f", HEAD + CHAIR, CHAIR_FILES)
    second = write_library(tmp_path / "b.sh3f", HEAD + CHAIR, CHAIR_FILES)
    run = Store(tmp_path, source="sh3f", path=f"{first}, {second}")
    assert [row["uid"] for row in run.rows] == ["sh3f-a-oak-chair", "sh3f-b-oak-chair"]
    assert run.rows[0]["file"] == run.rows[1]["file"]


def test_a_piece_that_is_there_twice_is_taken_once(tmp_path, caplog):
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR + CHAIR.replace("#1=", "#7="), {})
    assert len(plan_of(library)) == 1
    assert "sh3f-l-oak-chair occurs twice" in caplog.text


@pytest.mark.parametrize("rotation", ["1 0 0", "1 0 0 0 1 0 0 0 x", "2 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0 0 -1"])
def test_what_is_no_rotation_is_refused(tmp_path, rotation):
    catalogue = HEAD + CHAIR + f"modelRotation#1={rotation}\n"
    failure = Store(
        tmp_path, source="sh3f", path=str(write_library(tmp_path / "l.sh3f", catalogue, CHAIR_FILES))
    ).only_failure()
    assert f"modelRotation '{rotation}'" in failure.message


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("/test/gone.obj", "no such file"),
        ("/test/chair/model.3ds", "format '3ds' is not supported"),
        ("http://example.com/chair.obj", "no such file"),
    ],
)
def test_pieces_without_a_usable_model_fail_alone(tmp_path, model, reason):
    catalogue = HEAD + LAMP + CHAIR.replace("/test/chair/chair.obj", model)
    members = {**LAMP_FILES, "test/chair/model.3ds": b"MM"}
    run = Store(tmp_path, source="sh3f", path=str(write_library(tmp_path / "l.sh3f", catalogue, members)))
    assert reason in run.only_failure().message
    assert len(run.rows) == 1


def test_members_that_climb_are_not_there(tmp_path):
    """The model itself and a texture lie under names that climb."""
    catalogue = HEAD + CHAIR.replace("/test/chair/chair.obj", "../../evil.obj")
    members = {"../../evil.obj": obj(), "../../paint.mtl": mtl("../../../evil.png"), "../../../../../evil.png": png()}
    library = write_library(tmp_path / "in.sh3f", catalogue, members)
    before = set(tmp_path.rglob("*"))
    failure = Store(tmp_path, source="sh3f", path=str(library)).only_failure()
    assert "evil.obj: there is no such file" in failure.message
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "corpus", tmp_path / "scratch"}


def test_zip_bombs_are_refused_unopened(tmp_path):
    members = {**CHAIR_FILES, "test/chair/red.png": bytes(30_000_000)}
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR, members)
    assert library.stat().st_size < 100_000
    run = Store(tmp_path, source="sh3f", path=str(library), max_bytes=10_000_000)
    assert "the limit is 10000000" in run.only_failure().message


def test_damaged_members_are_asset_errors(tmp_path):
    library = write_library(tmp_path / "l.sh3f", HEAD + CHAIR, CHAIR_FILES)
    with zipfile.ZipFile(library) as archive:
        start = archive.getinfo("test/chair/chair.obj").header_offset + 30 + len("test/chair/chair.obj")
    data = bytearray(library.read_bytes())
    data[start : start + 20] = b"\xff" * 20
    library.write_bytes(data)
    assert "cannot be unpacked" in Store(tmp_path, source="sh3f", path=str(library)).only_failure().message


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_what_is_no_library_is_a_config_error(tmp_path, content):
    path = tmp_path / "l.sh3f"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"l\.sh3f is not a Sweet Home 3D library"):
        plan_of(path)


def test_a_zip_without_catalogue_is_a_config_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "l.sh3f", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(ConfigError, match=r"has no PluginFurnitureCatalog\.properties"):
        plan_of(tmp_path / "l.sh3f")


def test_whole_libraries_are_held_out(tmp_path):
    paths = [write_library(tmp_path / f"{name}.sh3f", HEAD + CHAIR, {}) for name in ("seen", "unseen")]
    config = AssetsConfig(source="sh3f", path=",".join(map(str, paths)), heldout_libraries="unseen.sh3f")
    assert [row["split"] for row in make_source(config).plan()] == ["", "heldout"]
    with pytest.raises(ConfigError, match="other.sh3f not in assets.path"):
        list(make_source(config.model_copy(update={"heldout_libraries": "other.sh3f"})).plan())
