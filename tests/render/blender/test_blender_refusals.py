"""Assets that load but show nothing sound, or do not load: refused with a reason, and the next object works."""

import struct

import numpy as np
import pytest

from benchmarks.hostile.gltf import changed, glb
from pipeline.base.errors import AssetError
from tests.render.shapes import chair_mesh, chair_obj, chair_scene, obj_text, write_obj_bundle


def bundle(path, vertices, faces):
    return write_obj_bundle(path, obj_text(np.array(vertices, float), np.array(faces)))


def test_far_outlier_is_refused(render, tmp_path):
    mesh = chair_mesh()
    vertices = np.vstack([mesh.vertices, [[1e5, 0, 0], [1e5, 1, 0], [1e5, 0, 1]]])
    faces = np.vstack([mesh.faces, [[len(mesh.vertices) + i for i in range(3)]]])
    with pytest.raises(AssetError, match="object outlier: it covers 0.0"):
        render(bundle(tmp_path / "outlier.zip", vertices, faces), "obj")


def test_vertices_of_no_face_do_not_count(render, tmp_path):
    obj, mtl = chair_obj()
    loose = render(write_obj_bundle(tmp_path / "loose.zip", obj + "v 1e6 0 0\n", mtl), "obj")
    clean = render(write_obj_bundle(tmp_path / "clean.zip", obj, mtl), "obj")
    assert loose["scale"] == clean["scale"]
    assert [image["bytes"] for image in loose["images"]] == [image["bytes"] for image in clean["images"]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coordinates_that_are_not_finite_are_refused(render, tmp_path, bad):
    """Blender's importers move such vertices to the origin, here a place inside the chair's bounding box."""
    mesh = chair_mesh()
    data = bytearray(mesh.export(file_type="ply"))
    start = data.index(b"end_header\n") + len(b"end_header\n")
    data[start : start + 4] = struct.pack("<f", bad)
    (tmp_path / "bad.ply").write_bytes(data)
    with pytest.raises(AssetError, match="not finite"):
        render(tmp_path / "bad.ply")


def test_no_extent_is_refused(render, tmp_path):
    with pytest.raises(AssetError, match="extent|no faces"):
        render(bundle(tmp_path / "point.zip", [[1, 2, 3]] * 3, [[0, 1, 2]]), "obj")


def test_no_faces_is_refused(render, tmp_path):
    with pytest.raises(AssetError, match="no faces"):
        render(write_obj_bundle(tmp_path / "empty.zip", "v 0 0 0\nv 1 0 0\nv 0 1 0\n"), "obj")


def test_invisible_object_is_refused(render, tmp_path):
    obj, mtl = chair_obj()
    with pytest.raises(AssetError, match="covers 0.00%"):
        render(write_obj_bundle(tmp_path / "clear.zip", obj, mtl.replace("Kd", "d 0\nKd")), "obj")


def test_too_many_triangles_are_refused(render, tmp_path):
    with pytest.raises(AssetError, match="more than 30 triangles"):
        render(write_obj_bundle(tmp_path / "chair.zip", *chair_obj()), "obj", max_triangles=30)


def without_faces(**entries) -> bytes:
    """A file whose mesh has no primitives."""
    return glb({"asset": {"version": "2.0"}, "meshes": [{"primitives": []}], **entries}, b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"just a text file, not a model", "not a GLB"),
        (without_faces(), "no faces|cannot read"),
        (without_faces(extensionsUsed=["VENDOR_secret"], extensionsRequired=["VENDOR_secret"]), "VENDOR_secret"),
        (without_faces(scenes=[{"nodes": [7]}], scene=0), "cannot read"),
    ],
)
def test_broken_glb_is_refused(render, tmp_path, data, reason):
    (tmp_path / "broken.glb").write_bytes(data)
    with pytest.raises(AssetError, match=reason):
        render(tmp_path / "broken.glb")


def test_more_memory_than_the_limit_is_refused_by_the_same_process(render, blender, tmp_path):
    chair_scene().export(tmp_path / "chair.glb")
    render(tmp_path / "chair.glb", views=2)
    pid = blender.pid
    twelve_gb = {"componentType": 5126, "count": 10**9, "type": "VEC3"}
    (tmp_path / "greedy.glb").write_bytes(changed("accessors.0", twelve_gb))
    with pytest.raises(AssetError, match="Unable to allocate"):
        render(tmp_path / "greedy.glb", views=2)
    assert render(tmp_path / "chair.glb", views=2)["triangles"] == 36
    assert blender.pid == pid


def test_damaged_glbs_never_take_blender_down(render, blender, tmp_path):
    """A byte overwritten at random: each file gives a row or a reason, all in the same process."""
    whole = chair_scene().export(file_type="glb")
    rng = np.random.default_rng(0)
    render_count, pid = 0, blender.pid
    for number in range(16):
        data = bytearray(whole)
        data[rng.integers(12, len(data))] ^= 1 << rng.integers(8)
        (tmp_path / f"damaged{number}.glb").write_bytes(data)
        try:
            render(tmp_path / f"damaged{number}.glb", views=2)
            render_count += 1
        except AssetError:
            pass
    assert 0 < render_count < 16
    assert pid is None or blender.pid == pid
