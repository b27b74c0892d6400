"""How an asset's files are found around it, and where they lie in what is stored."""

import json
import zipfile
from pathlib import PurePosixPath

import pytest

from pipeline.assets.files.bundle import bundle
from pipeline.assets.files.disk import DiskFolder
from pipeline.assets.files.gather import AssetFiles, gather
from pipeline.assets.files.references import named_files, redirect
from pipeline.base.errors import AssetError
from tests.pipeline.assets.asset_makers import (
    TRIANGLE,
    TRIANGLE_BUFFER,
    Store,
    glb_of,
    gltf_document,
    mtl,
    obj,
    png,
    write_files,
)

COLORS = ("map_Kd c.png", "map_Ke -s 1 1 1 e.png", "map_d d.png", "map_unknown u.png", "map_Kd both.png")
OTHERS = ("map_Bump -bm 1 b.png", "bump g.png", "norm n.png", "map_Ks s.png", "map_Ns both.png", "disp h.png")


@pytest.fixture
def store(tmp_path):
    """Stores a folder with the given files."""
    return lambda files: Store(tmp_path, source="folder", path=str(write_files(tmp_path / "in", files)))


def test_files_above_the_main_file_keep_their_places(store):
    """As in ShapeNetCore: models/model_normalized.mtl names ../images/texture0.jpg."""
    run = store(
        {
            "02691156/1a04/models/model_normalized.obj": obj("./model_normalized.mtl"),
            "02691156/1a04/models/model_normalized.mtl": mtl("../images/texture0.jpg", "../images/gone.jpg"),
            "02691156/1a04/images/texture0.jpg": png(),
        }
    )
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["images/texture0.jpg", "models/asset.obj", "models/model_normalized.mtl"]
    assert b"../images/texture0.jpg" in members["models/model_normalized.mtl"]
    assert row["missing_textures"] == ["../images/gone.jpg"]
    assert (row["parts_fetched"], row["parts_missing"]) == (2, 1)


def test_a_buffer_above_the_main_file_is_brought(store):
    document = gltf_document("../../buffers/mesh.bin", ("../red.png",))
    files = {"a/b/c/x.gltf": json.dumps(document).encode(), "a/buffers/mesh.bin": TRIANGLE_BUFFER, "a/b/red.png": png()}
    run = store(files)
    assert list(run.stored_members(run.only_row())) == ["b/c/asset.gltf", "b/red.png", "buffers/mesh.bin"]


def test_what_lies_beside_or_below_is_stored_as_ever(store):
    """Stored files are named by their content: these are the names that they have had since the first version."""
    files = {
        "a/Chair.OBJ": obj("mat/my paint.mtl"),
        "a/mat/my paint.mtl": mtl("-s 1 1 1 ../tex/red paint.png", r"..\tex\two.png", "gone.png"),
        "a/tex/red paint.png": b"red",
        "a/tex/two.png": b"blue",
        "b/c/lamp.gltf": json.dumps(gltf_document("mesh.bin", ("my%20red.png",))).encode(),
        "b/c/mesh.bin": TRIANGLE_BUFFER,
        "b/c/my red.png": b"red",
        "plain.obj": TRIANGLE.encode(),
    }
    assert [row["sha256"][:16] for row in store(files).rows] == DIGESTS


DIGESTS = ["4b4f4294639a2951", "00a68f1a52585a99", "eb30ccf72d4a4d03"]


@pytest.mark.parametrize("library", ["", "gone.mtl", "http://127.0.0.1:9/Chair.mtl"])
def test_a_library_of_the_same_name_stands_in(store, caplog, library):
    caplog.set_level("INFO")
    text = obj(library) if library else TRIANGLE.encode()
    run = store({"a/Chair.obj": text, "a/chair.MTL": mtl("red.png", "gone.png"), "a/red.png": png()})
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["Chair.mtl", "asset.obj", "red.png"]
    assert members["asset.obj"].startswith(b"mtllib Chair.mtl\n")
    assert members["asset.obj"].count(b"mtllib") == 1
    assert row["missing_textures"] == ["gone.png"]
    assert "its materials are taken from Chair.mtl" in caplog.text


def test_a_library_of_the_same_name_is_left_alone_where_another_is_there(store):
    run = store({"a.obj": obj(), "paint.mtl": mtl(), "a.mtl": mtl("red.png"), "red.png": png()})
    assert list(run.stored_members(run.only_row())) == ["asset.obj", "paint.mtl"]


def test_a_name_in_another_case_is_found_if_it_is_the_only_one(store):
    run = store(
        {
            "a.obj": obj("Paint.MTL"),
            "paint.mtl": mtl("Maps/Wood.PNG", "maps/two.png", "Maps/Wood.PNG"),
            "maps/wood.png": png(),
            "maps/TWO.png": png((1, 1, 1)),
            "maps/Two.png": png((2, 2, 2)),
        }
    )
    row = run.only_row()
    members = run.stored_members(row)
    assert list(members) == ["Maps/Wood.PNG", "Paint.MTL", "asset.obj"]
    assert members["Maps/Wood.PNG"] == png()
    assert row["missing_textures"] == ["maps/two.png"]


def test_the_name_as_it_is_written_comes_first(store):
    files = {"a.obj": obj(), "paint.mtl": mtl("red.png"), "red.png": png(), "RED.png": png((0, 0, 1))}
    run = store(files)
    assert run.stored_members(run.only_row())["red.png"] == png()


def test_names_that_are_no_text_on_the_way_down(tmp_path):
    folder = tmp_path / "in"
    write_files(folder / "M\udce8bel \x07: x" / "models", {"a.obj": obj(), "paint.mtl": mtl("../../red.png")})
    write_files(folder, {"red.png": png()})
    run = Store(tmp_path, source="folder", path=str(folder))
    assert sorted(PurePosixPath(name).name for name in run.stored_members(run.only_row())) == [
        "asset.obj",
        "paint.mtl",
        "red.png",
    ]


@pytest.mark.parametrize(
    ("model", "texture"),
    [
        ("Shoe/meshes/model", "Shoe/materials/textures/texture.png"),  # Google Scanned Objects
        ("Car/source/car", "Car/textures/texture.png"),  # Sketchfab
        ("a/b", "a/Textures/texture.png"),
        ("a/b", "a/images/TEXTURE.png"),
        ("a/b", "a/texture.png"),
    ],
)
@pytest.mark.parametrize(
    "name", ["texture.png", r"maps\texture.png", r"C:\Users\me\texture.png", "../../../x/texture.png"]
)
def test_a_texture_is_found_by_its_name_in_a_known_place(store, caplog, model, texture, name):
    caplog.set_level("INFO")
    run = store({f"{model}.obj": obj(), f"{model[: model.rindex('/')]}/paint.mtl": mtl(name), texture: png()})
    row = run.only_row()
    assert row["missing_textures"] == []
    assert list(run.stored_members(row).values()).count(png()) == 1
    assert "texture.png is taken from" in caplog.text or name == texture[2:]
    fetched = run.refetched(row)
    library = next(file for file in fetched.side_files if file.suffix == ".mtl")
    (named,) = named_files(library).optional
    assert (library.parent / named.replace("\\", "/")).read_bytes() == png()


def test_it_is_known_which_missing_textures_would_give_colours(store):
    paint = b"newmtl paint\n" + "\n".join(COLORS + OTHERS).encode()
    row = store({"a.obj": obj(), "paint.mtl": paint}).only_row()
    names = {line.split()[-1] for line in COLORS}
    assert set(row["missing_colors"]) == names
    assert set(row["missing_textures"]) == names | {line.split()[-1] for line in OTHERS}
    assert row["parts_missing"] == len(row["missing_textures"])


def test_a_missing_library_takes_the_colours_with_it(store):
    assert store({"a.obj": obj("gone.mtl")}).only_row()["missing_colors"] == ["gone.mtl"]


def test_it_is_known_which_missing_images_of_a_gltf_file_would_give_colours(store):
    images = ("base.png", "glow.png", "bumps.png", "gloss.png", "webp.png", "unused.png", "base%20too.png")
    document = gltf_document(None, images)
    document["textures"][4] = {"extensions": {"EXT_texture_webp": {"source": 4}}}
    document["textures"][6] = {"source": 6}
    specular = {"diffuseTexture": {"index": 4}, "specularGlossinessTexture": {"index": 3}}
    document["materials"] = [
        {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicRoughnessTexture": {"index": 3}}},
        {"emissiveTexture": {"index": 1}, "normalTexture": {"index": 2}, "occlusionTexture": {"index": 0}},
        {"extensions": {"KHR_materials_pbrSpecularGlossiness": specular}},
        {"pbrMetallicRoughness": {"baseColorTexture": {"index": 6}}, "emissiveTexture": {"index": []}},
    ]
    row = store({"a.glb": glb_of(document, TRIANGLE_BUFFER)}).only_row()
    assert row["missing_colors"] == ["base too.png", "base.png", "glow.png", "webp.png"]
    assert len(row["missing_textures"]) == 7


def test_two_textures_of_one_name_are_none(store):
    run = store({"a/b.obj": obj(), "a/paint.mtl": mtl("x/t.png"), "a/maps/t.png": png(), "a/textures/t.png": png()})
    assert run.only_row()["missing_textures"] == ["x/t.png"]


def test_textures_of_other_objects_are_not_taken(store):
    run = store({"a/a.obj": obj(), "a/paint.mtl": mtl("t.png"), "b/t.png": png(), "t.png": png()})
    assert run.only_row()["missing_textures"] == ["t.png"]


def test_every_kind_of_file_can_name_another_place(tmp_path):
    (tmp_path / "a.mtl").write_text('newmtl a\nmap_Kd -s 1 1 1   my  red.png \nmap_Ka "C:\\x\\b.png"\nKd 1 0 0\n')
    (tmp_path / "a.obj").write_text("mtllib /x/a.mtl\r\nv 0 0 0\nf 1 1 1\n")
    (tmp_path / "a.gltf").write_bytes(json.dumps(gltf_document("m.bin", ("/x/a%20b.png", "c.png"))).encode())
    (tmp_path / "a.dae").write_text("<COLLADA><mesh/><init_from>/x/a.png</init_from></COLLADA>")
    places = {
        "my red.png": "tex/my red.png",
        r"C:\x\b.png": "b.png",
        "/x/a.mtl": "../a.mtl",
        "/x/a b.png": "tex/a b.png",
    }
    places["/x/a.png"] = "tex/a & b.png"
    named = []
    for name in ("a.mtl", "a.obj", "a.gltf", "a.dae"):
        redirect(tmp_path / name, places)
        named += named_files(tmp_path / name).optional
    assert named == ["tex/my red.png", "b.png", "../a.mtl", "tex/a b.png", "c.png", "tex/a & b.png"]
    assert (tmp_path / "a.mtl").read_text().endswith("\nKd 1 0 0\n")


class Broken(AssetFiles):
    """Files that are there and cannot be had."""

    def __init__(self, files: dict[str, bytes], broken: str):
        self.files, self.broken = files, broken

    def size(self, path):
        data = self.files.get(str(path))
        return None if data is None else len(data)

    def copy(self, path, local):
        if str(path) == self.broken:
            raise AssetError(f"{path}: it cannot be read")
        local.write_bytes(self.files[str(path)])


def test_a_file_that_cannot_be_had_is_missing_or_fatal(tmp_path):
    files = {"a/x.obj": obj(), "a/paint.mtl": mtl("red.png", "two.png"), "a/red.png": png(), "a/two.png": png()}
    fetched = gather("a/x.obj", Broken(files, "a/red.png"), tmp_path / "one", 10**6)
    assert fetched.missing_textures == ("red.png",)
    assert [file.name for file in fetched.side_files] == ["paint.mtl", "two.png"]
    assert b"red.png" not in (tmp_path / "one" / "a" / "paint.mtl").read_bytes()
    with pytest.raises(AssetError, match=r"a/x\.obj: it cannot be read"):
        gather("a/x.obj", Broken(files, "a/x.obj"), tmp_path / "two", 10**6)
    document = json.dumps(gltf_document("mesh.bin")).encode()
    with pytest.raises(AssetError, match=r"mesh\.bin: it cannot be read"):
        gather("x.gltf", Broken({"x.gltf": document, "mesh.bin": TRIANGLE_BUFFER}, "mesh.bin"), tmp_path, 10**6)


@pytest.mark.parametrize("main", ["", ".", "..", "../in/a.obj", "/etc/hostname", "gone.obj", "a" * 300, "nul\0.obj"])
def test_a_main_file_that_is_not_below_the_root_is_refused(tmp_path, main):
    folder = write_files(tmp_path / "in", {"a.obj": obj()})
    with pytest.raises(AssetError, match="there is no such file"):
        gather(main, DiskFolder(folder), tmp_path / "out", 10**6)


def test_a_file_in_the_way_of_a_folder_is_missing(tmp_path):
    """Of a zip's members one may be both."""
    files = {"a.obj": obj(), "paint.mtl": mtl("tex", "tex/red.png"), "tex": png(), "tex/red.png": png()}
    fetched = gather("a.obj", Broken(files, ""), tmp_path / "out", 10**6)
    assert fetched.missing_textures == ("tex/red.png",)
    assert bundle(fetched, tmp_path / "stored") == "zip"
    with zipfile.ZipFile(tmp_path / "stored") as archive:
        assert archive.namelist() == ["asset.obj", "paint.mtl", "tex"]
