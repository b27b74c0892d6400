"""The folder source and the assets stage, from files to stored assets."""

import hashlib
import json
import zipfile
from types import SimpleNamespace

import pytest
import trimesh

from pipeline import Corpus
from pipeline.assets.config import AssetsConfig
from pipeline.assets.files.references import named_files
from pipeline.assets.folder import uid_of
from pipeline.assets.room import Room
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError, StorageError
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import ASSETS, INDEX
from tests.pipeline.assets.asset_makers import (
    TRIANGLE_BUFFER,
    Store,
    box_glb,
    glb_of,
    gltf_document,
    mtl,
    obj,
    png,
    write_files,
)


@pytest.fixture
def store(tmp_path):
    """Stores a folder with the given files."""

    def make(files: dict[str, bytes], **config) -> Store:
        folder = write_files(tmp_path / "in", files)
        return Store(tmp_path, source="folder", path=str(folder), **config)

    return make


def test_formats_are_stored_with_their_axes(store):
    box = trimesh.creation.box()
    run = store(
        {
            "a.glb": box_glb(),
            "deep/b.PLY": box.export(file_type="ply"),
            "c.stl": box.export(file_type="stl"),
            "d.stl": box.export(file_type="stl_ascii").encode(),
            "e.obj": box.export(file_type="obj").encode(),
            "f.gltf": json.dumps(gltf_document("data:application/octet-stream;base64,AAAA")).encode(),
            "g.OFF": b"OFF3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
            "notes.txt": b"not an asset",
        }
    )
    assert not run.failures
    by_name = {row["name"]: row for row in run.rows}
    assert {name: (row["format"], row["up_axis"]) for name, row in by_name.items()} == {
        "a": ("glb", "y"),
        "b": ("ply", "z"),
        "c": ("stl", "z"),
        "d": ("stl", "z"),
        "e": ("obj", "y"),
        "f": ("gltf", "y"),
        "g": ("off", "z"),
    }
    assert by_name["a"]["file"].endswith(".glb")
    assert by_name["e"]["file"].endswith(".zip")
    for row in run.rows:
        data = run.stored(row).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["bytes"] == len(data)
    assert by_name["g"]["file"].endswith(".off")
    assert len(table_from_rows(run.rows, ASSETS)) == 7


def test_plan_is_sorted_complete_and_the_same_every_time(tmp_path):
    folder = write_files(tmp_path, {"b/oak_chair-2.glb": b"x", "a/oak_chair-2.glb": b"x", "oak chair 2.glb": b"x"})
    source = make_source(AssetsConfig(source="folder", path=str(folder)))
    rows = list(source.plan())
    assert rows == list(source.plan())
    assert len({row["uid"] for row in rows}) == 3
    assert {row["name"] for row in rows} == {"oak chair 2"}
    assert [row["origin_uri"] for row in rows] == ["a/oak_chair-2.glb", "b/oak_chair-2.glb", "oak chair 2.glb"]
    assert len(table_from_rows([{**row, "shard": 0, "annotations": ""} for row in rows], INDEX)) == 3


def test_uids_are_readable_and_stable():
    assert (
        uid_of("chairs/Oak chair.glb") == "chairs-Oak-chair-" + hashlib.sha256(b"chairs/Oak chair.glb").hexdigest()[:8]
    )
    assert uid_of("a.glb") != uid_of("a.obj")
    assert len(uid_of("x" * 500 + ".glb")) <= 70


def test_sidecar_describes_its_asset(store):
    sidecar = {"name": "Red box", "tags": ["toy"], "category": "Toys", "license": "cc0", "split": "heldout"}
    row = store({"box.glb": box_glb(), "box.glb.json": json.dumps(sidecar).encode()}).only_row()
    assert {key: row[key] for key in sidecar} == sidecar | {"license": "CC0-1.0"}
    assert row["creator"] == ""


def test_sidecars_of_unknown_forms_are_counted_and_end_no_plan(store, caplog):
    odd = {
        "a": b'{"titel": "x", "license": "CC0", "split": "secret"}',
        "b": b"{",
        "c": b"[1]",
        "d": b"[" * 100_000,
        "e": b'{"name": 5, "tags": {"x": 1}, "creator": null}',
        "f": b" " * 10_000_001 + b"{}",
        "g": b'{"name": "Sound", "creator": "Somebody"}',
    }
    files = {f"{name}.glb": box_glb() for name in odd} | {f"{name}.glb.json": data for name, data in odd.items()}
    run = store(files)
    assert [row["name"] for row in run.rows] == ["a", "b", "c", "d", "e", "f", "Sound"]
    assert (run.rows[0]["license"], run.rows[0]["split"]) == ("CC0-1.0", "")
    (warning,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith("6 files about assets say what is not known here ('no JSON object', ")
    assert "a.glb.json; known are: uid, name, tags" in warning


def test_sidecars_in_sketchfabs_form(store):
    told = {
        "uid": "0a1b",
        "name": " Oak\nchair ",
        "tags": [{"name": "wood", "slug": "wood"}, {"name": "seat"}],
        "categories": [{"name": "furniture-home"}],
        "license": {"label": "CC Attribution", "slug": "by"},
        "user": {"username": "somebody", "displayName": "Some Body"},
    }
    row = store({"box.glb": box_glb(), "box.glb.json": json.dumps(told).encode()}).only_row()
    assert (row["name"], row["tags"], row["category"]) == ("Oak chair", ["wood", "seat"], "furniture-home")
    assert (row["license"], row["creator"]) == ("CC-BY-4.0", "Some Body")
    assert row["uid"] == uid_of("box.glb")  # of a data set's folder alone the uids are its own


@pytest.mark.parametrize("path", ["", "nowhere", "."])
def test_a_folder_without_assets_is_a_config_error(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"assets\.path"):
        list(make_source(AssetsConfig(source="folder", path=path)).plan())


def test_an_unknown_source_is_a_config_error():
    message = "^assets.source: there is no asset source 'objversee'; there are: folder, manifest, objaverse, "
    with pytest.raises(ConfigError, match=message):
        make_source(AssetsConfig(source="objversee"))


def test_obj_travels_with_its_materials_and_textures(store):
    run = store(
        {
            "Chair.OBJ": obj("mat/my paint.mtl"),
            "mat/my paint.mtl": mtl("-s 1 1 1 ../tex/red paint.png", r"..\tex\two.png"),
            "tex/red paint.png": png(),
            "tex/two.png": png((0, 0, 9)),
            "tex/other.png": png((1, 1, 1)),
        }
    )
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["asset.obj", "mat/my paint.mtl", "tex/red paint.png", "tex/two.png"]
    assert members["tex/red paint.png"] == png()
    assert row["missing_textures"] == []


def test_equal_assets_are_stored_once_and_zips_carry_no_time(store):
    files = {"paint.mtl": mtl("red.png"), "red.png": png(), "box.obj": obj()}
    run = store({f"{folder}/{name}": data for folder in "ab" for name, data in files.items()})
    first, second = run.rows
    assert first["uid"] != second["uid"]
    assert first["file"] == second["file"]
    assert len(list(run.stored(first).parent.iterdir())) == 1
    with zipfile.ZipFile(run.stored(first)) as archive:
        for member in archive.infolist():
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert member.compress_type == zipfile.ZIP_STORED


def test_missing_textures_are_listed_and_no_longer_named(store):
    leftover = "C:/Documents and Settings/me/wood.jpg"
    run = store(
        {"box.obj": obj(), "paint.mtl": mtl("gone.png", leftover, "/etc/hostname", "red.png"), "red.png": png()}
    )
    row = run.only_row()
    assert row["missing_textures"] == sorted(["gone.png", leftover, "/etc/hostname"])
    assert run.stored_members(row)["paint.mtl"] == b"newmtl paint\nKd 1 0 0\nmap_Kd red.png"


@pytest.mark.parametrize("library", ["gone.mtl", "/etc/paint.mtl"])
def test_a_missing_material_library_is_listed_and_no_longer_named(store, library):
    run = store({"box.obj": obj(library)})
    row = run.only_row()
    assert row["missing_textures"] == [library]
    assert b"mtllib" not in run.stored_members(row)["asset.obj"]


def test_gltf_travels_with_its_buffers_and_images(store):
    document = gltf_document("mesh.bin", ("my%20red.png", "gone.png"))
    run = store({"a.gltf": json.dumps(document).encode(), "mesh.bin": TRIANGLE_BUFFER, "my red.png": png()})
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["asset.gltf", "mesh.bin", "my red.png"]
    assert row["missing_textures"] == ["gone.png"]
    material = json.loads(members["asset.gltf"])["materials"][0]
    assert material["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0}
    assert "emissiveTexture" not in material


def test_glb_with_a_missing_image_keeps_its_geometry(store, tmp_path):
    run = store({"a.glb": glb_of(gltf_document(None, ("gone.png",)), TRIANGLE_BUFFER)})
    row = run.only_row()
    assert row["missing_textures"] == ["gone.png"]
    assert b"gone.png" not in run.stored(row).read_bytes()
    scene = trimesh.load(run.stored(row))
    assert sum(len(mesh.vertices) for mesh in scene.geometry.values()) == 3


def fbx(*paths: str, embedded: bool = False) -> bytes:
    """As much of a binary FBX file as is looked at; each image is named twice, as exporters do."""
    names = [
        name + b"S" + len(path).to_bytes(4, "little") + path.encode()
        for relative in paths
        for name, path in ((b"\x08Filename", f"/home/me/{relative}"), (b"\x10RelativeFilename", relative))
    ]
    content = b"\x07ContentR\x05\0\0\0image" if embedded else b""
    return b"Kaydara FBX Binary  \0\x1a\0" + b"".join(names) + content


def test_fbx_travels_with_the_textures_beside_it(store):
    run = store({"a.fbx": fbx("red.png", "C:\\me\\x.png"), "red.png": png()})
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["asset.fbx", "red.png"]
    assert row["missing_textures"] == ["/home/me/C:\\me\\x.png", "C:\\me\\x.png"]
    assert b"x.png" not in members["asset.fbx"]
    assert len(members["asset.fbx"]) == len(fbx("red.png", "C:\\me\\x.png"))


@pytest.mark.parametrize("name", ["C:\\me\\x.png", "..\\..\\..\\maps\\x.png", "/a/x.png", "C:/me//x.png"])
def test_fbx_is_told_where_a_texture_of_that_name_lies(store, name):
    run = store({"in/a.fbx": fbx(name), "in/x.png": png()})
    row = run.only_row()
    members = run.stored_members(row)
    assert members.keys() == {"asset.fbx", "x.png"}
    assert row["missing_textures"] == []
    assert len(members["asset.fbx"]) == len(fbx(name))
    fetched = run.refetched(row)
    named = named_files(fetched.main).optional
    assert named
    assert {(fetched.main.parent / path.replace("\\", "/")).read_bytes() for path in named} == {png()}


def test_fbx_has_no_room_for_a_longer_name(store):
    row = store({"in/a.fbx": fbx("/x.png"), "in/textures/x.png": png()}).only_row()
    assert row["missing_textures"] == ["/x.png"]


def test_fbx_with_embedded_images_misses_nothing(store):
    assert store({"a.fbx": fbx("red.png", embedded=True)}).only_row()["missing_textures"] == []


def test_a_single_file_is_a_corpus_of_one(tmp_path):
    write_files(tmp_path, {"chair.glb": box_glb(), "table.glb": box_glb()})
    rows = list(make_source(AssetsConfig(path=str(tmp_path / "table.glb"))).plan())
    assert [row["name"] for row in rows] == ["table"]


COLLADA = (
    "<COLLADA><image id='a'><init_from>wood%20grain.png</init_from></image><image id='b'><init_from>file:///C:/x.png"
    "</init_from></image><image id='c'><init_from>gone.png</init_from></image>"
    "<surface><init_from>a</init_from></surface><mesh/></COLLADA>"
)


def test_a_collada_file_brings_its_textures(store):
    run = store({"chair.dae": COLLADA.encode(), "wood grain.png": png()})
    row = run.only_row()
    members = run.stored_members(row)
    assert row["format"] == "dae"
    assert members.keys() == {"asset.dae", "wood grain.png"}
    assert sorted(row["missing_textures"]) == ["/C:/x.png", "gone.png"]
    assert b"gone.png" not in members["asset.dae"]
    assert b"C:/x" not in members["asset.dae"]
    assert b"<surface><init_from>a</init_from>" in members["asset.dae"]


@pytest.mark.parametrize("name", ["../secret.png", "http://127.0.0.1:9/a.png"])
def test_a_collada_file_that_reaches_out_reaches_nothing(store, name):
    run = store({"chair.dae": COLLADA.replace("gone.png", name).encode(), "wood grain.png": png()})
    row = run.only_row()
    assert sorted(row["missing_textures"]) == sorted(["/C:/x.png", name])
    assert name.encode() not in run.stored_members(row)["asset.dae"]


def test_the_run_stops_before_the_disk_is_full(store, monkeypatch):
    free = iter([5_000_000_000, 900_000_000])
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=next(free)))
    with pytest.raises(StorageError, match=r"0\.90 GB are free on .*keep_free_bytes is 1\.00 GB: make room"):
        store({"a.glb": box_glb(), "b.glb": box_glb()})
    assert next(free, None) is None  # the first one was stored, the second one not begun


def test_no_room_needs_to_be_kept(store, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    assert store({"a.glb": box_glb()}, keep_free_bytes=0).only_row()


def test_the_run_stops_when_the_corpus_has_its_bytes(store, tmp_path):
    files = {f"{n}.stl": trimesh.creation.box((1, 1, n)).export(file_type="stl") for n in (1, 2, 3)}
    size = len(files["1.stl"])
    with pytest.raises(StorageError, match=r"max_corpus_bytes is 0\.00 GB: raise it"):
        store(files, max_corpus_bytes=2 * size)
    assert len(list(tmp_path.rglob("corpus/**/*.stl"))) == 2
    assert len(store(files, max_corpus_bytes=2 * size + 1).rows) == 3


def test_bytes_of_other_workers_count(tmp_path):
    corpus, config = Corpus(tmp_path), AssetsConfig(max_corpus_bytes=10_000, keep_free_bytes=0)
    ours, theirs = Room(corpus, config), Room(corpus, config)
    stored = 0
    with pytest.raises(StorageError):
        for n in range(100):
            ours.ensure()
            for room, name in ((ours, "ours"), (theirs, "theirs")):
                file = tmp_path / "file"
                file.write_bytes(bytes([n]) * 300)
                corpus.put_asset(file, f"{n:02x}{name}", "glb")
                room.note_stored(300)
                stored += 300
    assert 10_000 <= stored <= 10_600
