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
    "letter.off": (b"OFFer us a model\n", "does not say how many"),
    "other.off": (b"Dear reader", "not an OFF file"),
    "binary.off": (b"OFF BINARY\n\0\0\0\1", "binary OFF files"),
    "flat.off": (b"nOFF 2\n3 1 0\n", "other than 3 dimensions"),
    "points.off": (b"OFF\n1 0 0\n0 0 0\n", "no faces"),
    "trillion.off": (b"OFF1000000000000 1 0\n0 0 0\n3 0 0 0\n", "do not fit in its 35 bytes"),
    "digits.off": (b"OFF\n" + b"9" * 5000 + b" 1 0\n", "does not say how many"),
    "comments.off": (b"OFF\n" + b"#\n" * 2000 + b"3 1 0\n", "does not say how many"),
    "text.fbx": (b"; FBX 7.3.0 project file", "text FBX is not supported"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path, name):
    data, reason = BROKEN[name]
    folder = write_files(tmp_path / "in", {name: data})
    failure = Store(tmp_path, source="folder", path=str(folder)).only_failure()
    assert reason in failure.message
    assert name in failure.message


OUTSIDE = ["../secret.png", "a/../../secret.png", r"..\secret.png", "../" * 3000 + "etc/hostname"]
ADDRESSES = ["http://127.0.0.1:9/a.png", "https://127.0.0.1:9/a.png", "file:///etc/hostname"]
ABSOLUTE = ["/etc/hostname", r"C:\Users\me\a.png", r"\\server\share\a.png"]
IMPOSSIBLE = ["a" * 300, "bell\x07.png", "a/" * 3000 + "a.png", "nul\0.png", "two\nlines.png"]


@pytest.mark.parametrize("reference", [*OUTSIDE, *ADDRESSES, *ABSOLUTE, *IMPOSSIBLE])
@pytest.mark.parametrize("kind", ["library", "texture", "gltf image"])
def test_optional_files_that_are_not_to_be_had_are_missing(tmp_path, reference, kind):
    if kind != "gltf image" and "\n" in reference:
        pytest.skip("a line of text cannot hold it")
    run = store_with(tmp_path, reference, kind)
    row = run.only_row()
    (missing,) = row["missing_textures"]
    assert len(missing) <= 255
    assert missing.isprintable()
    assert missing == reference[:255] or not reference.isprintable()
    for data in run.stored_members(row).values():
        assert reference.encode() not in data
        assert data != png()


@pytest.mark.parametrize("reference", [*OUTSIDE, *ADDRESSES, *ABSOLUTE, *IMPOSSIBLE])
def test_buffers_that_are_not_to_be_had_are_fatal(tmp_path, reference):
    message = store_with(tmp_path, reference, "gltf buffer").only_failure().message
    reasons = {"outside the source's folder": OUTSIDE, "refers to the URL": ADDRESSES, "not a file name": IMPOSSIBLE}
    reasons["which it needs, is missing"] = [*ABSOLUTE, IMPOSSIBLE[2]]
    assert any(reason in message for reason, references in reasons.items() if reference in references), message
    assert len(message) < 1000


def test_a_missing_buffer_is_fatal(tmp_path):
    failure = store_with(tmp_path, "gone.bin", "gltf buffer").only_failure()
    assert "'gone.bin', which it needs, is missing" in failure.message


def store_with(tmp_path, reference: str, kind: str) -> Store:
    """Stores an asset that names `reference`; a file that it must not reach lies above the source's folder."""
    files = {
        "library": {"a.obj": obj(reference)},
        "texture": {"a.obj": obj(), "paint.mtl": mtl(reference)},
        "gltf image": {"a.gltf": json.dumps(gltf_document("mesh.bin", (reference,))).encode()},
        "gltf buffer": {"a.gltf": json.dumps(gltf_document(reference)).encode()},
    }[kind]
    write_files(tmp_path, {"secret.png": png()})
    root = write_files(tmp_path / "in", {**files, "mesh.bin": TRIANGLE_BUFFER})
    return Store(tmp_path, source="folder", path=str(root))


@pytest.mark.parametrize("link", ["outside/secret.png", "in/red.png", "gone.png"])
def test_links_that_lead_out_or_nowhere_are_not_followed(tmp_path, link):
    write_files(tmp_path / "outside", {"secret.png": png()})
    folder = write_files(tmp_path / "in", {"a.obj": obj(), "paint.mtl": mtl("red.png", "deep/secret.png")})
    (folder / "red.png").symlink_to(tmp_path / link)
    (folder / "deep").symlink_to(tmp_path / "outside")
    run = Store(tmp_path, source="folder", path=str(folder))
    row = run.only_row()
    assert row["missing_textures"] == ["deep/secret.png", "red.png"]
    assert list(run.stored_members(row)) == ["asset.obj", "paint.mtl"]


def test_a_linked_buffer_outside_is_fatal_and_so_is_a_linked_model(tmp_path):
    outside = write_files(tmp_path / "outside", {"mesh.bin": TRIANGLE_BUFFER, "b.obj": obj()})
    folder = write_files(tmp_path / "in", {"a.gltf": json.dumps(gltf_document("mesh.bin")).encode()})
    for name in ("mesh.bin", "b.obj"):
        (folder / name).symlink_to(outside / name)
    run = Store(tmp_path, source="folder", path=str(folder))
    assert not run.rows
    for failure, name in zip(run.failures, ("mesh.bin", "b.obj"), strict=True):
        assert f"{name}: it is a symbolic link that leaves in/" in failure.message


def test_a_link_inside_the_source_is_a_file(tmp_path):
    folder = write_files(tmp_path / "in", {"a/a.obj": obj(), "a/paint.mtl": mtl("red.png"), "shared/red.png": png()})
    (folder / "a" / "red.png").symlink_to("../shared/red.png")
    run = Store(tmp_path, source="folder", path=str(folder))
    assert list(run.stored_members(run.only_row())) == ["asset.obj", "paint.mtl", "red.png"]


@pytest.mark.parametrize("below", ["", "glbs"])
def test_a_snapshot_of_the_hub_is_made_of_links(tmp_path, below):
    cache = tmp_path / "datasets--who--what"
    write_files(cache, {"blobs/0a1b": box_glb(), "secret": box_glb(), "snapshots/9f/.keep": b""})
    folder = cache / "snapshots/9f/glbs"
    folder.mkdir()
    (folder / "box.glb").symlink_to("../../../blobs/0a1b")
    (folder / "other.glb").symlink_to("../../../secret")
    run = Store(tmp_path, source="folder", path=str(cache / "snapshots/9f" / below))
    assert [row["name"] for row in run.rows] == ["box"]
    assert "other.glb: it is a symbolic link that leaves" in run.only_failure().message


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


@pytest.mark.parametrize("kind", ["obj", "mtl", "gltf"])
def test_ten_thousand_names_end_soon(tmp_path, kind):
    names = [f"{number}.png" for number in range(10_001)]
    lines = "".join(f"mtllib {name}\n" for name in names).encode()
    files = {
        "obj": {"a.obj": lines + obj()},
        "mtl": {"a.obj": obj(), "paint.mtl": mtl(*names)},
        "gltf": {"a.gltf": json.dumps(gltf_document("mesh.bin", tuple(names))).encode(), "mesh.bin": TRIANGLE_BUFFER},
    }[kind]
    failure = Store(tmp_path, source="folder", path=str(write_files(tmp_path / "in", files))).only_failure()
    assert "more than 10000 files" in failure.message


def test_a_chain_of_libraries_is_followed_to_its_end(tmp_path):
    """As deep as the limit lets it be: no recursion ends it before."""
    chain = {f"{number}.mtl": mtl(f"{number + 1}.mtl") for number in range(998)}
    folder = write_files(tmp_path / "in", {"a.obj": obj("0.mtl"), **chain})
    assert Store(tmp_path, source="folder", path=str(folder)).only_row()["missing_textures"] == ["998.mtl"]


@pytest.mark.parametrize("name", ["asset.obj", "../asset.obj"])
def test_a_side_file_cannot_take_the_main_files_place(tmp_path, name):
    files = {"a/a.obj": obj(), "a/paint.mtl": mtl(name), f"a/{name}": obj("other.mtl")}
    run = Store(tmp_path, source="folder", path=str(write_files(tmp_path / "in", files)))
    (failure,) = run.failures
    assert "the name reserved for the main file" in failure.message
    assert len(run.rows) == 1  # asset.obj is an asset, too


def test_a_side_file_cannot_overwrite_the_main_file(tmp_path):
    """Its suffix is written small; what is put there later would not have been looked into."""
    hostile = b"mtllib http://127.0.0.1:9/a.mtl\n" + obj()
    folder = write_files(tmp_path / "in", {"a.OBJ": obj("a.obj"), "a.obj": hostile})
    run = Store(tmp_path, source="folder", path=str(folder))
    first = next(row for row in run.rows if row["origin_uri"] == "a.OBJ")
    assert first["missing_textures"] == ["a.obj"]
    assert b"http" not in run.stored(first).read_bytes()


def test_one_bad_asset_leaves_the_others_alone(tmp_path):
    folder = write_files(tmp_path / "in", {"a.glb": box_glb(), "b.glb": b"no", "c.glb": box_glb()})
    run = Store(tmp_path, source="folder", path=str(folder))
    assert [type(result).__name__ for result in run.results] == ["dict", "Failure", "dict"]
