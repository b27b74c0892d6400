"""Folders of well-known data sets: what is planned of each, and that any other folder is planned as ever."""

import gzip
import json

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.folder import uid_of
from pipeline.assets.sources import make_source
from pipeline.assets.tables.json_entries import entries
from pipeline.store.rows import Row
from tests.pipeline.assets.asset_makers import Store, box_glb, mtl, obj, png, write_files

AIRPLANE, CHAIR = "02691156", "03001627"
MODEL, OTHER = "1021a0914a7207aff927ed529ad90a11", "103c9e43cdf6501c62b600da24e0965"
ASIN = "B07B4MHQF8"
UID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OFF = b"OFF3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"


@pytest.fixture
def plan(tmp_path):
    """The planned rows of a folder with these files, by their paths."""

    def planned(files: dict[str, bytes], path: str = "") -> dict[str, Row]:
        folder = write_files(tmp_path / "in", files)
        rows = make_source(AssetsConfig(source="folder", path=str(folder / path))).plan()
        return {row["origin_uri"]: row for row in rows}

    return planned


def told(row: Row) -> tuple:
    return tuple(row[key] for key in ("uid", "name", "category", "tags", "license", "creator", "split"))


@pytest.mark.parametrize("top", ["", "ShapeNetCore.v2/"])
def test_shapenet_v2(plan, caplog, top):
    caplog.set_level("INFO")
    taxonomy = [{"synsetId": AIRPLANE, "name": "airplane,aeroplane,plane", "children": []}, {"synsetId": 7}, "x"]
    file = f"{top}{AIRPLANE}/{MODEL}/models/model_normalized"
    rows = plan(
        {
            f"{top}taxonomy.json": json.dumps(taxonomy).encode(),
            f"{file}.obj": obj("model_normalized.mtl"),
            f"{file}.json": b'{"id": "x", "numVertices": 7}',
            f"{top}{CHAIR}/{OTHER}/models/model_normalized.obj": obj(),
        }
    )
    first, second = rows.values()
    assert told(first) == (MODEL, "airplane", "airplane", ["aeroplane", "plane"], "", "", "")
    assert told(second) == (OTHER, "", CHAIR, [], "", "", "")
    assert "is laid out as ShapeNetCore: so are 2 of its 2 files" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_shapenet_v1_and_models_of_two_synsets(plan):
    """Some models of ShapeNetCore are in several synsets: their id alone names none of them."""
    files = [f"{AIRPLANE}/{MODEL}/model.obj", f"{CHAIR}/{MODEL}/model.obj", f"{CHAIR}/{OTHER}/model.obj"]
    rows = plan(dict.fromkeys(files, obj()))
    assert [row["uid"] for row in rows.values()] == [uid_of(files[0]), uid_of(files[1]), OTHER]
    assert [row["category"] for row in rows.values()] == [AIRPLANE, CHAIR, CHAIR]


def test_shapenets_textures_are_stored(tmp_path):
    folder = f"{AIRPLANE}/{MODEL}"
    files = {
        f"{folder}/models/model_normalized.obj": obj("model_normalized.mtl"),
        f"{folder}/models/model_normalized.mtl": mtl("../images/texture0.jpg", "../images/gone.jpg"),
        f"{folder}/images/texture0.jpg": png(),
    }
    row = Store(tmp_path, source="folder", path=str(write_files(tmp_path / "in", files))).only_row()
    assert (row["uid"], row["missing_textures"], row["parts_fetched"]) == (MODEL, ["../images/gone.jpg"], 2)


def test_google_scanned_objects(plan, tmp_path):
    pbtxt = b'name: "11pro SL TRX FG"\ndescription: "A \\"shoe\\""\ncategories {\n  first: "Shoe"\n}\n'
    config = b"<?xml version='1.0'?><model><name>Salt &amp; Pepper</name><author><name>Google</name></author></model>"
    rows = plan(
        {
            "11pro_SL_TRX_FG/meshes/model.obj": obj("model.mtl"),
            "11pro_SL_TRX_FG/meshes/model.mtl": mtl("texture.png"),
            "11pro_SL_TRX_FG/materials/textures/texture.png": png(),
            "11pro_SL_TRX_FG/metadata.pbtxt": pbtxt,
            "Shakers/meshes/model.obj": obj(),
            "Shakers/model.config": config,
        }
    )
    shoe, shakers = rows.values()
    licence = ("CC-BY-4.0", "Google Research", "")
    assert told(shoe) == ("11pro_SL_TRX_FG", "11pro SL TRX FG", "Shoe", [], *licence)
    assert told(shakers) == ("Shakers", "Salt & Pepper", "", [], *licence)
    run = Store(tmp_path, source="folder", path=str(tmp_path / "in"))
    assert list(run.stored_members(run.rows[0])) == ["asset.obj", "model.mtl", "texture.png"]


def product(**values) -> bytes:
    named = [{"language_tag": "de_DE", "value": "Stuhl"}, {"language_tag": "en_IN", "value": "Chair, IN"}]
    entry = {"3dmodel_id": ASIN, "item_name": named, "product_type": [{"value": "DINING_CHAIR"}], **values}
    return json.dumps(entry).encode() + b"\n"


def test_the_licence_that_lies_beside_amazons_objects_is_theirs(plan):
    files = {f"a/3dmodels/original/8/{ASIN}.glb": box_glb(), "a/3dmodels/LICENSE-CC-BY-NC-4.0.txt": b""}
    assert [row["license"] for row in plan(files).values()] == ["CC-BY-NC-4.0"]


@pytest.mark.parametrize("damage", [b"", b"{"])
def test_amazon_berkeley_objects(plan, caplog, damage):
    listing = b"[1]\n" + product(color=[{"language_tag": "en_US", "value": "Blue"}], brand=7) + product(item_name=[])
    rows = plan(
        {
            f"3dmodels/original/8/{ASIN}.glb": box_glb(),
            "3dmodels/original/0/B000000000.glb": box_glb(),
            "listings/metadata/listings_0.json.gz": gzip.compress(listing + damage),
        }
    )
    unknown, chair = rows.values()
    assert told(chair) == (ASIN, "Chair, IN", "dining chair", ["Blue"], "CC-BY-4.0", "Amazon.com", "")
    assert told(unknown) == ("B000000000", "", "", [], "CC-BY-4.0", "Amazon.com", "")
    assert ("listings_0.json.gz: it cannot be read to its end" in caplog.text) == bool(damage)


def test_a_table_that_unpacks_without_end_is_told(plan, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.assets.layouts.MAX_UNPACKED_BYTES", 2000)
    listing = gzip.compress(product() + b"{}\n" * 1_000_000)
    rows = plan({f"original/8/{ASIN}.glb": box_glb(), "listings/metadata/listings_0.json.gz": listing})
    assert [row["name"] for row in rows.values()] == ["Chair, IN"]
    assert "unpacks to more than 2000 bytes" in caplog.text


def test_toys4k(plan):
    rows = plan({"toys/ice_cream/ice_cream_003/mesh.obj": obj(), "toys/dog/dog_001/mesh.obj": obj()})
    assert [told(row)[:3] for row in rows.values()] == [
        ("dog_001", "dog", "dog"),
        ("ice_cream_003", "ice cream", "ice cream"),
    ]


def test_modelnet(plan):
    rows = plan({"ModelNet40/night_stand/train/night_stand_0001.off": OFF, "ModelNet40/sofa/test/sofa_0681.off": OFF})
    assert [told(row) for row in rows.values()] == [
        ("night_stand_0001", "night stand", "night stand", [], "", "", ""),
        ("sofa_0681", "sofa", "sofa", [], "", "", "heldout"),
    ]


ENTRY = {"name": "Oak chair", "tags": ["wood"], "license": "by-nc", "user": {"username": "me"}, "face_count": 3}


@pytest.mark.parametrize(
    "files",
    [
        {"metadata.json": {UID: ENTRY, "f" * 32: {}}},
        {"metadata.json": [{"uid": UID, **ENTRY}]},
        {f"glbs/{UID}.json": ENTRY},
        {"caption.json": {UID: "A chair."}, f"glbs/{UID}_2048.glb.json": {"uid": UID, **ENTRY}},
    ],
)
def test_texverse(plan, files):
    rows = plan(
        {f"glbs/{UID}_2048.glb": box_glb(), **{name: json.dumps(data).encode() for name, data in files.items()}}
    )
    (row,) = rows.values()
    assert told(row) == (UID, "Oak chair", "", ["wood"], "CC-BY-NC-4.0", "me", "")


def test_sizes_of_one_texverse_object_are_told_apart(plan):
    rows = plan({f"{UID}_1024.glb": box_glb(), f"{UID}_2048.glb": box_glb(), f"{UID}.json": json.dumps(ENTRY).encode()})
    assert [(row["uid"], row["name"]) for row in rows.values()] == [(uid_of(path), "Oak chair") for path in rows]


@pytest.mark.parametrize(
    "files",
    [
        {f"{UID}.glb": box_glb(), "metadata.json": b'{"version": 1}'},
        {f"{UID}.glb": box_glb(), "metadata.json": b"no JSON"},
        {"chair/chair_001/chair.glb": box_glb()},
        {"Shoe/meshes/model.obj": obj()},
        {f"{MODEL}/models/model_normalized.obj": obj()},
        {f"original/{ASIN}.glb": box_glb()},
        {f"{AIRPLANE}/{MODEL}/models/model_normalized.obj": obj(), "a.glb": box_glb()},
    ],
)
def test_any_other_folder_is_planned_as_ever(plan, files):
    rows = plan(files)
    assert [row["uid"] for row in rows.values()] == [uid_of(path) for path in rows]
    assert all(row["name"] and not row["category"] and not row["license"] for row in rows.values())


def test_a_few_files_of_another_kind_do_not_matter(plan):
    rows = plan({"sofa/test/sofa_0001.off": OFF, "sofa/test/sofa_0002.off": OFF, "extra/my chair.glb": box_glb()})
    assert [row["uid"] for row in rows.values()] == [uid_of("extra/my chair.glb"), "sofa_0001", "sofa_0002"]
    assert rows["extra/my chair.glb"]["name"] == "my chair"


def test_uids_that_cannot_name_files_are_not_taken(plan):
    rows = plan({f"sofa/test/{'x' * 220}.off": OFF, "sofa/test/.hidden.off": OFF, "sofa/test/a\nb.off": OFF})
    assert [row["uid"] for row in rows.values()] == [uid_of(path) for path in rows]


@pytest.mark.parametrize("taxonomy", [b"{}", b"no JSON", b"[" * 100_000, b"\xff"])
def test_a_table_that_cannot_be_read_is_told_and_ends_no_plan(plan, caplog, taxonomy):
    rows = plan({f"{AIRPLANE}/{MODEL}/models/model_normalized.obj": obj(), "taxonomy.json": taxonomy})
    assert [row["category"] for row in rows.values()] == [AIRPLANE]
    assert "taxonomy.json: it cannot be read" in caplog.text


def test_large_json_files_are_read_entry_by_entry(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.assets.tables.json_entries.CHUNK", 7)
    content = {f"k{number}": [number * 1000, "ä\\", {"a": None}] for number in range(50)}
    for value in (content, list(content.values()), {}, [], [12345, 6]):
        (tmp_path / "a.json").write_text(json.dumps(value, indent=1), encoding="utf-8")
        found = list(entries(tmp_path / "a.json"))
        assert found == (list(value.items()) if isinstance(value, dict) else [("", entry) for entry in value])


@pytest.mark.parametrize("text", ["", "7", '{"a": 1', '{"a" 1}', '{"a": 1 "b": 2}', "[1, 2", "[nope]", "[" * 100_000])
def test_json_files_that_are_broken(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011
        list(entries(tmp_path / "a.json"))


def test_an_entry_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.assets.tables.json_entries.MAX_ENTRY", 1_000_000)
    (tmp_path / "a.json").write_text('["' + "x" * 2_500_000)
    with pytest.raises(ValueError, match="more than 1000000 characters"):
        list(entries(tmp_path / "a.json"))
