"""Broken and hostile assets: each becomes one typed failure that names the object, and nothing else happens."""

import io
import json
import zipfile

import pytest

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

NO_MESH = {"asset": {"version": "2.0"}, "meshes": []}
PLY_POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


BROKEN = {
    "truncated.glb": (box_glb()[:-20], "truncated"),
    "header only.glb": (box_glb()[:16], "not a GLB file"),
    "letter.glb": (b"Dear reader, this is not a model.\n", "not a GLB file"),
    "empty.glb": (b"", "the file is empty"),
    "no mesh.glb": (glb_of(NO_MESH), "no meshes"),
    "half a buffer.glb": (glb_of(gltf_document(None), TRIANGLE_BUFFER[:20]), "has 20 of 36 bytes"),
    "version 1.glb": (b"glTF\x01\0\0\0" + box_glb()[8:], "glTF version 1; convert"),
    "not json.glb": (glb_of({})[:20] + b"{{{{", "JSON"),
    "nested.gltf": (b"[" * 100_000, "JSON cannot be read"),
    "list.gltf": (b"[]", "not a glTF document"),
    "binary.gltf": (box_glb(), "name it .glb"),
    "empty.obj": (b"", "the file is empty"),
    "comments.obj": (b"# nothing\n", "no vertices"),
    "points.obj": (b"v 0 0 0\nv 1 0 0\n", "no faces"),
    "points.ply": (PLY_POINTS, "no faces"),
    "trillion.ply": (PLY_POINTS.replace(b"end_header", b"element face 1000000000000\nend_header"), "do not fit"),
    "letter.ply": (b"Dear reader", "not a PLY file"),
    "truncated.stl": (b"\0" * 80 + b"\x09\0\0\0" + b"\0" * 50, "truncated STL file"),
    "letter.stl": (b"solid advice", "truncated STL file"),
    "scene.blend": (b"BLENDER-v402", "can contain scripts"),
    "letter.dae": (b"Dear reader", "not a Collada file"),
    "bomb.dae": (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><COLLADA><mesh/></COLLADA>', "XML entities"),
    "wide bomb.dae": ("<!DOCTYPE x><COLLADA><mesh/></COLLADA>".encode("utf-16"), "XML entities"),
    "cut.dae": (b"<COLLADA><mesh>", "truncated"),
    "no mesh.dae": (b"<COLLADA></COLLADA>", "no meshes"),
    "letter.usdz": (b"Dear reader", "truncated or damaged USDZ file"),
    "picture.usdz": (zipped({"a.png": b"x"}), "first member is not a USD file"),
    "packed.usdz": (zipped({"a.usdc": b"x" * 99}, zipfile.ZIP_DEFLATED), "members are compressed"),
    "text.fbx": (b"; FBX 7.3.0 project file", "text FBX is not supported"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path, name):
    data, reason = BROKEN[name]
    folder = write_files(tmp_path / "in", {name: data})
    failure = Store(tmp_path, source="folder", path=str(folder)).only_failure()
    assert reason in failure.message
    assert name in failure.message


@pytest.mark.parametrize("reference", ["../secret.png", "a/../../secret.png", r"..\secret.png"])
@pytest.mark.parametrize("kind", ["library", "texture", "gltf image", "gltf buffer"])
def test_paths_out_of_the_folder_are_refused(tmp_path, reference, kind):
    failure = store_with(tmp_path, reference, kind).only_failure()
    assert "outside the asset's folder" in failure.message
    assert repr(reference) in failure.message


@pytest.mark.parametrize("reference", ["http://example.com/a.png", "https://example.com/a.png", "file:///etc/hostname"])
@pytest.mark.parametrize("kind", ["library", "texture", "gltf image", "gltf buffer"])
def test_addresses_are_refused(tmp_path, reference, kind):
    assert f"it refers to the URL {reference!r}" in store_with(tmp_path, reference, kind).only_failure().message


@pytest.mark.parametrize("reference", ["gone.bin", "/etc/hostname"])
def test_a_missing_buffer_is_fatal(tmp_path, reference):
    failure = store_with(tmp_path, reference, "gltf buffer").only_failure()
    assert f"{reference!r}, which it needs, is missing" in failure.message


@pytest.mark.parametrize("reference", ["a" * 300, "bell\x07.png"])
def test_impossible_names_are_refused(tmp_path, reference):
    assert "not a file name" in store_with(tmp_path, reference, "texture").only_failure().message


def store_with(tmp_path, reference: str, kind: str) -> Store:
    """Stores an asset that names `reference`; a file that it must not reach lies one folder above."""
    files = {
        "library": {"a.obj": obj(reference)},
        "texture": {"a.obj": obj(), "paint.mtl": mtl(reference)},
        "gltf image": {"a.gltf": json.dumps(gltf_document("mesh.bin", (reference,))).encode()},
        "gltf buffer": {"a.gltf": json.dumps(gltf_document(reference)).encode()},
    }[kind]
    root = write_files(tmp_path / "in", {"secret.png": png()})
    write_files(root / "asset", {**files, "mesh.bin": TRIANGLE_BUFFER})
    return Store(tmp_path, source="folder", path=str(root))


def test_links_out_of_the_source_are_refused(tmp_path):
    outside = write_files(tmp_path / "outside", {"secret.png": png()})
    folder = write_files(tmp_path / "in", {"a.obj": obj(), "paint.mtl": mtl("red.png")})
    (folder / "red.png").symlink_to(outside / "secret.png")
    failure = Store(tmp_path, source="folder", path=str(folder)).only_failure()
    assert "red.png: it is a symbolic link that leaves" in failure.message


def test_limits_hold_for_all_files_together(tmp_path):
    folder = write_files(tmp_path / "in", {"a.obj": obj(), "paint.mtl": mtl("red.png"), "red.png": bytes(5000)})
    failure = Store(tmp_path, source="folder", path=str(folder), max_bytes=5000).only_failure()
    assert "red.png: with it the asset has" in failure.message


def test_too_many_files_are_refused(tmp_path):
    names = [f"{number}.png" for number in range(1001)]
    files = dict.fromkeys(names, b"x")
    folder = write_files(tmp_path / "in", {"a.obj": obj(), "paint.mtl": mtl(*names), **files})
    failure = Store(tmp_path, source="folder", path=str(folder)).only_failure()
    assert "more than 1000 files" in failure.message


def test_a_side_file_cannot_take_the_main_files_place(tmp_path):
    folder = write_files(tmp_path / "in", {"a.obj": obj(), "paint.mtl": mtl("asset.obj"), "asset.obj": obj()})
    run = Store(tmp_path, source="folder", path=str(folder))
    (failure,) = run.failures
    assert "the name reserved for the main file" in failure.message
    assert len(run.rows) == 1  # asset.obj is an asset, too


def test_one_bad_asset_leaves_the_others_alone(tmp_path):
    folder = write_files(tmp_path / "in", {"a.glb": box_glb(), "b.glb": b"no", "c.glb": box_glb()})
    run = Store(tmp_path, source="folder", path=str(folder))
    assert [type(result).__name__ for result in run.results] == ["dict", "Failure", "dict"]
