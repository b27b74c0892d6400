"""OBJ files as programs write them: every way to write a face, polygons of any shape, the order of faces."""

import numpy as np
import pytest

from render.raster.load import load
from render.raster.obj import load_obj

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
EXTRAS = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n"


def read(folder, text, mtl=""):
    (folder / "a.obj").write_text("mtllib a.mtl\n" + text)
    (folder / "a.mtl").write_text(mtl)
    return load_obj(folder / "a.obj").parts


def area(part) -> float:
    """Signed along z: overlaps and wrong windings show."""
    a, b, c = part.vertices[part.faces].transpose(1, 0, 2)
    return float(np.cross(b - a, c - a)[:, 2].sum() / 2)


@pytest.mark.parametrize(
    "face",
    [
        "f 1 2 3 4",
        "f 1/1 2/2 3/3 4/4",
        "f 1//1 2//1 3//1 4//1",
        "f 1/1/1 2/2/1 3/3/1 4/4/1",
        "f 1/1/1 2//1 3/3 4",
        "f -4 -3 -2 -1",
        "f -4/-4/-1 -3/-3/-1 -2/-2/-1 -1/-1/-1",
        "f 1 2 \\\n 3 4",
        "f\t1   2 3\t4 ",
        "f 1 2 3\nf 1/1 3/3 4/4",
    ],
)
def test_every_way_to_write_a_face(tmp_path, face):
    (part,) = read(tmp_path, SQUARE + EXTRAS + face + "\nl 1 2\np 1\n")
    assert area(part) == pytest.approx(1)
    if "1/1" in face.replace("//", " ") or "-1/-1/-1" in face:
        where = (part.uvs != [0, 1]).any(axis=1)  # corners without coordinates have 0, 0 (v up)
        assert where.any()
        assert np.allclose(part.uvs[where], part.vertices[where, :2] * [1, -1] + [0, 1])
    if face.count("//1") == 4:
        assert np.allclose(part.normals, [0, 0, 1])


def test_indices_count_backwards_from_where_they_stand(tmp_path):
    (part,) = read(tmp_path, SQUARE + "f -4 -3 -2\nv 5 5 0\nf -5 -3 -2\n")
    assert area(part) == pytest.approx(1)


@pytest.mark.parametrize("turn", range(5))
def test_polygons_need_not_be_convex(tmp_path, turn):
    """An arrow head, from any corner on, both ways round: no triangle may fill its notch."""
    outline = [(0, 0), (2, 1), (4, 0), (2, 4), (1, 2)]
    text = "".join(f"v {x} {y} 0\n" for x, y in outline)
    x, y = np.array(outline, float).T
    expected = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    order = [str((turn + i) % 5 + 1) for i in range(5)]
    for way in (1, -1):
        (part,) = read(tmp_path, text + "f " + " ".join(order[::way]) + "\n")
        a, b, c = part.vertices[part.faces].transpose(1, 0, 2)
        areas = np.cross(b - a, c - a)[:, 2] / 2 * way
        assert (areas >= 0).all()
        assert areas.sum() == pytest.approx(expected)


def test_of_coincident_faces_the_first_in_the_file_is_seen(tmp_path):
    mtl = "newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\n"
    faces = ["usemtl red\nf 1 2 3\n", "usemtl blue\nf 3 2 1\n"]
    for order in (1, -1):
        read(tmp_path, SQUARE + "".join(faces[::order]), mtl)
        surface = load(tmp_path / "a.obj", np.eye(3), 100).surface
        (material,) = surface.face_materials
        assert surface.base[material, :3].tolist() == ([1, 0, 0] if order == 1 else [0, 0, 1])


def test_material_comes_back_after_another(tmp_path):
    mtl = "newmtl red paint\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\n"
    parts = read(
        tmp_path, SQUARE + "usemtl red  paint\nf 1 2 3\nusemtl blue\nf 1 3 4\nusemtl red paint\nf 1 2 4\n", mtl
    )
    assert [part.material.color for part in parts] == [(1, 0, 0), (0, 0, 1), (1, 0, 0)]
    assert [len(part.faces) for part in parts] == [1, 1, 1]


def test_vertex_colors_are_srgb(tmp_path):
    (part,) = read(tmp_path, SQUARE.replace(" 0\n", " 0 0.5 0 1\n") + "f 1 2 3\n")
    assert np.allclose(part.colors[0], [0.2140, 0, 1, 1], atol=1e-3)
    assert part.material.color == (1, 1, 1)
