import base64
import json
import struct
import zlib
from contextlib import nullcontext

import pytest

from benchmarks.hostile.gltf import glb
from pipeline.base.errors import AssetError
from render.files import guards
from tests.render.shapes import chair_scene, png

LIMIT = 1000 * 1000


def huge_png(side: int = 20_000) -> bytes:
    """A PNG file that claims to be `side` pixels wide and high, and holds hardly any."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100)))]
    sealed = [struct.pack(">I4s", len(data), kind) + data + _crc(kind + data) for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(sealed)


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def gltf(path, **parts):
    path.write_text(json.dumps({"asset": {"version": "2.0"}, "meshes": [{"primitives": []}], **parts}))
    return path


def test_sound_assets_pass(tmp_path):
    (tmp_path / "asset.glb").write_bytes(chair_scene().export(file_type="glb"))
    (tmp_path / "wood.png").write_bytes(png((1, 2, 3)))
    guards.check(tmp_path / "asset.glb", LIMIT)


@pytest.mark.parametrize("uri", ["http://example.org/a.png", "file:///etc/passwd", "../a.png", "/a.png", "a/..%2f../b"])
@pytest.mark.parametrize("part", ["images", "buffers"])
def test_reference_that_leaves_the_folder_is_refused(tmp_path, part, uri):
    with pytest.raises(AssetError, match="its own folder"):
        guards.check(gltf(tmp_path / "asset.gltf", **{part: [{"uri": uri}]}), LIMIT)


@pytest.mark.parametrize(("uri", "is_fine"), [("beside.png", True), ("../above.png", False), ("ftp://a/b.png", False)])
def test_a_glb_may_name_files_of_its_own_folder_alone(tmp_path, uri, is_fine):
    document = {"asset": {"version": "2.0"}, "meshes": [{"primitives": []}], "images": [{"uri": uri}]}
    (tmp_path / "asset.glb").write_bytes(glb(document, b""))
    with nullcontext() if is_fine else pytest.raises(AssetError, match="its own folder"):
        guards.check(tmp_path / "asset.glb", LIMIT)


@pytest.mark.parametrize(
    ("name", "is_fine"),
    [
        ("../images/x.jpg", True),
        (r"..\images\x.jpg", True),
        ("../models/../images/x.jpg", True),
        ("a/../../images/x.jpg", True),
        ("../../x.jpg", False),
        ("../images/../../x.jpg", False),
        (r"..\..\x.jpg", False),
    ],
)
@pytest.mark.parametrize("kind", ["obj", "gltf", "usda"])
def test_names_may_lead_up_to_the_root_of_the_bundle(tmp_path, name, is_fine, kind):
    (tmp_path / "models").mkdir()
    main = tmp_path / "models" / f"asset.{kind}"
    if kind == "gltf":
        gltf(main, images=[{"uri": name}])
    else:
        main.write_text(f"v 0 0 0\nmtllib {name}\n@{name}@\n")
    with nullcontext() if is_fine else pytest.raises(AssetError, match="its own folder"):
        guards.check(main, LIMIT, tmp_path)


@pytest.mark.parametrize("library", ["../../secret.mtl", "/etc/secret.mtl", "http://example.org/a.mtl"])
def test_material_library_outside_of_the_folder_is_refused(tmp_path, library):
    (tmp_path / "asset.obj").write_text(f"v 0 0 0\nmtllib {library}\n")
    with pytest.raises(AssetError, match="its own folder"):
        guards.check(tmp_path / "asset.obj", LIMIT)


def test_huge_texture_is_refused_by_its_header(tmp_path):
    (tmp_path / "asset.obj").write_text("v 0 0 0\n")
    (tmp_path / "huge.png").write_bytes(huge_png())
    with pytest.raises(AssetError, match="huge.png"):
        guards.check(tmp_path / "asset.obj", LIMIT)


def test_huge_texture_inside_a_gltf_is_refused(tmp_path):
    uri = "data:image/png;base64," + base64.b64encode(huge_png(2000)).decode()
    with pytest.raises(AssetError, match="2000 x 2000"):
        guards.check(gltf(tmp_path / "asset.gltf", images=[{"uri": uri, "name": "paint"}]), LIMIT)


def test_huge_texture_inside_a_glb_is_refused(tmp_path):
    data = huge_png(2000)
    data += bytes(-len(data) % 4)
    document = {
        "meshes": [{"primitives": []}],
        "buffers": [{"byteLength": len(data)}],
        "bufferViews": [{"buffer": 0, "byteLength": len(data)}],
        "images": [{"bufferView": 0, "mimeType": "image/png"}],
    }
    (tmp_path / "asset.glb").write_bytes(glb(document, data))
    with pytest.raises(AssetError, match="2000 x 2000"):
        guards.check(tmp_path / "asset.glb", LIMIT)


@pytest.mark.parametrize("cut", [0, 11, 30, 500])
def test_glb_that_is_cut_short_is_refused(tmp_path, cut):
    (tmp_path / "asset.glb").write_bytes(chair_scene().export(file_type="glb")[:cut])
    with pytest.raises(AssetError):
        guards.check(tmp_path / "asset.glb", LIMIT)


@pytest.mark.parametrize("images", [[{"bufferView": 3}], [7], [{}], {"a": 1}, [{"uri": 5}]])
def test_nonsense_in_the_document_is_refused(tmp_path, images):
    with pytest.raises(AssetError, match="not valid glTF"):
        guards.check(gltf(tmp_path / "asset.gltf", images=images), LIMIT)
