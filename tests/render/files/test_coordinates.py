import re
import struct
import zlib

import numpy as np
import pytest

from pipeline.base.errors import AssetError
from render.files.coordinates import refuse_infinite
from tests.render.blender.test_blender_formats import write_collada
from tests.render.shapes import chair_mesh, chair_obj, chair_scene


def is_refused(path) -> bool:
    try:
        refuse_infinite(path)
    except AssetError as error:
        assert "not finite" in str(error)
        return True
    return False


def damaged(mesh, value):
    mesh = mesh.copy()
    mesh.vertices[5, 1] = value
    return mesh


@pytest.mark.parametrize("name", ["asset.ply", "asset.stl", "asset.glb"])
@pytest.mark.parametrize("value", [1.0, np.nan, -np.inf])
def test_files_of_floats(tmp_path, name, value):
    with np.errstate(invalid="ignore"):  # in trimesh, which computes normals
        (tmp_path / name).write_bytes(damaged(chair_mesh(), value).export(file_type=name[-3:]))
    assert is_refused(tmp_path / name) == (value != 1.0)


def test_buffer_beside_a_gltf(tmp_path):
    for name, data in chair_scene().export(file_type="gltf").items():
        (tmp_path / name.replace("model", "asset")).write_bytes(data)
    assert not is_refused(tmp_path / "asset.gltf")
    for path in tmp_path.glob("*.bin"):
        path.write_bytes(np.full(path.stat().st_size // 4, np.nan, np.float32).tobytes())
    assert is_refused(tmp_path / "asset.gltf")


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("v nan 0 0", True),
        ("  v 1 2 -INF 0.5 0.5 0.5", True),
        ("v 0 1e39 0", True),
        ("v 0 0 -3.5E+0120", True),
        ("v 1.0e+000 2.5e-039 1e38", False),
        ("v 1 2 3 nan nan nan", False),  # a colour
        ("vn nan nan nan", False),
        ("usemtl v nan", False),
        ("o inf", False),
    ],
)
def test_lines_of_an_obj(tmp_path, line, refused):
    (tmp_path / "asset.obj").write_text(chair_obj()[0] + line + "\n")
    assert is_refused(tmp_path / "asset.obj") == refused


@pytest.mark.parametrize("name", ["asset.ply", "asset.stl", "asset.glb"])
def test_what_is_broken_otherwise_is_left_to_the_importer(tmp_path, name):
    data = chair_mesh().export(file_type=name[-3:])
    (tmp_path / name).write_bytes(data[: len(data) // 2] if name != "asset.glb" else data.replace(b"VEC3", b"VEC9"))
    assert not is_refused(tmp_path / name)


def fbx_array(values, kind: str, packed: bool) -> bytes:
    """A node "Vertices" as binary FBX files have it, between other bytes."""
    data = np.array(values, f"<f{8 if kind == 'd' else 4}").tobytes()
    stored = zlib.compress(data) if packed else data
    head = struct.pack("<III", len(values), packed, len(stored))
    return b"Kaydara FBX Binary  \0\x1a\0" + b"\x08Vertices" + kind.encode() + head + stored + b"\0" * 20


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["d", "f"])
def test_arrays_of_an_fbx(tmp_path, kind, packed):
    path = tmp_path / "asset.fbx"
    for value, refused in ((1.0, False), (np.nan, True), (-np.inf, True)):
        path.write_bytes(fbx_array([0.0, 1.0, value] * 20, kind, packed))
        assert is_refused(path) == refused
    path.write_bytes(fbx_array([np.nan] * 60, kind, packed)[:-21])  # cut short, which Blender finds
    assert not is_refused(path)


def test_a_double_that_no_float_holds(tmp_path):
    (tmp_path / "asset.fbx").write_bytes(fbx_array([0.0, 1e39, 0.0], "d", False))
    assert is_refused(tmp_path / "asset.fbx")


@pytest.mark.parametrize(("place", "refused"), [("a0", True), ("u0", False)])  # positions, texture coordinates
@pytest.mark.parametrize("value", ["nan", "-INF", "1e39"])
def test_sources_of_a_collada_file(tmp_path, place, refused, value):
    path = write_collada(tmp_path / "asset.dae")
    assert not is_refused(path)
    path.write_text(re.sub(rf'(<float_array id="{place}"[^>]*>)\S+', rf"\g<1>{value}", path.read_text()))
    assert is_refused(path) == refused
