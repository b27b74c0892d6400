import numpy as np
import pytest

from pipeline.base.errors import AssetError
from pipeline.values.off import read_off

CORNERS = "0 0 0\n1 0 0\n1 1 0\n0 1 0.5\n"


def read(tmp_path, text: str):
    (tmp_path / "a.off").write_bytes(text.encode())
    return read_off(tmp_path / "a.off")


@pytest.mark.parametrize(
    "head",
    [
        "OFF\n4 2 0\n",
        "OFF4 2 0\n",  # as in ModelNet40
        "OFF 4 2 0\r\n",
        "OFF\n4 2\n",
        "# first\n\nOFF # kind\n# counts\n  4 2 0 # and edges\n\n",
    ],
)
def test_headers_as_programs_write_them(tmp_path, head):
    mesh = read(tmp_path, f"{head}{CORNERS}3 0 1 2\n\n4  0 1 2 3 # a quad\n")
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]])
    assert mesh.faces == [[0, 1, 2], [0, 1, 2, 3]]
    assert mesh.colors is None
    assert mesh.face_colors is None


@pytest.mark.parametrize("colors", ["255 0 51", "255 0 51 255", "1.0 0.0 0.2", "1 0 0.2 1"])
def test_colors_of_vertices_and_faces_are_bytes_or_fractions(tmp_path, colors):
    mesh = read(tmp_path, f"COFF\n3 1 0\n0 0 0 {colors}\n1 0 0 {colors}\n0 1 0 {colors}\n3 0 1 2\n")
    np.testing.assert_allclose(mesh.colors, [[1, 0, 0.2]] * 3)
    mesh = read(tmp_path, f"OFF\n4 3 0\n{CORNERS}3 0 1 2 {colors}\n2 0 1\n3 0 2 3\n")
    np.testing.assert_allclose(mesh.face_colors, [[1, 0, 0.2], [np.nan] * 3])
    assert mesh.faces == [[0, 1, 2], [0, 2, 3]]  # an edge is no face


def test_normals_and_colors_and_texture_coordinates_stand_in_this_order(tmp_path):
    mesh = read(tmp_path, "STCNOFF\n3 1 0\n" + "1 2 3 0 0 1 0.5 0.5 0.5 0.9 0.9 0.1\n" * 3 + "3 0 1 2 7\n")
    np.testing.assert_array_equal(mesh.colors, [[0.5] * 3] * 3)
    assert mesh.face_colors is None  # one number is of a table that is elsewhere


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an OFF file"),
        ("v 0 0 0\nf 1 1 1\n", "not an OFF file"),
        ("4OFF\n4 1 0\n", "other than 3 dimensions"),
        ("OFF\n4 1 0 7\n" + CORNERS, "does not say how many"),
        ("OFF\n-4 1 0\n" + CORNERS, "does not say how many"),
        ("OFF\n0 1 0\n" + CORNERS, "no vertices"),
        ("OFF\n4 3 0\n" + CORNERS + "3 0 1 2\n# twelve letters", "cut short: 5 of 7"),
        ("OFF\n4 1 0\n0 0\n" + CORNERS, "'0 0' has fewer than 3 numbers"),
        ("OFF\n4 1 0\n0 0 x\n" + CORNERS, "could not convert"),
        ("OFF\n4 1 0\n" + CORNERS + "3 0 1\n", "not as many corners"),
        ("OFF\n4 1 0\n" + CORNERS + "-1 0 1\n", "not as many corners"),
        ("OFF\n4 1 0\n" + CORNERS + "3 0 1 4\n", "does not exist; there are 4"),
        ("OFF\n4 1 0\n" + CORNERS + "3 0 1 -1\n", "does not exist; there are 4"),
        ("OFF\n4 1 0\n" + CORNERS + "2 0 1\n", "no faces"),
        ("OFF\n4 1 0\n" + CORNERS + "9" * 5000 + " 0 1 2\n", "not a readable OFF file"),
    ],
)
def test_broken_files_are_named(tmp_path, text, reason):
    with pytest.raises(AssetError, match=reason) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("a.off: ")
