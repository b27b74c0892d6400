"""OFF files through both engines."""

import numpy as np
import pytest

from pipeline.values.pictures import view_pixels
from tests.render.shapes import BLUE, CHAIR, GREEN, RED, chair_mesh

GREY = (230, 230, 230)  # 0.8 in linear light


@pytest.fixture(params=["raster", "blenderproc"])
def shown(request, render, tmp_path):
    """`shown(text, color)`: the share of an OFF file's opaque pixels that have this colour."""

    def share(text: str, color: tuple[int, ...]) -> float:
        (tmp_path / "a.off").write_text(text)
        row = render(tmp_path / "a.off", up_axis="z", engine=request.param, samples=4)
        rgba = np.stack([view_pixels(image["bytes"], None, "a view") for image in row["images"]]).astype(int)
        solid = rgba[rgba[..., 3] == 255][:, :3]
        return float((np.abs(solid - color).max(axis=-1) <= 2).mean())

    return share


def faces_text(colors: bool = False) -> str:
    mesh = chair_mesh()
    paint = mesh.visual.vertex_colors[mesh.faces[:, 0], :3]
    return "".join(
        f"3 {' '.join(map(str, face))}{' ' * colors + ' '.join(map(str, color)) * colors}\n"
        for face, color in zip(mesh.faces, paint, strict=True)
    )


def vertices_text(colors: bool = False) -> str:
    mesh = chair_mesh()
    rows = np.column_stack([mesh.vertices, mesh.visual.vertex_colors])
    return "".join(" ".join(f"{value:g}" for value in row[: 7 if colors else 3]) + "\n" for row in rows)


COUNTS = f"{len(chair_mesh().vertices)} {len(chair_mesh().faces)} 0\n"


def test_a_mesh_without_colors_is_grey(shown):
    assert shown(f"OFF{COUNTS}{vertices_text()}{faces_text()}", GREY) > 0.95


@pytest.mark.parametrize("color", [RED, GREEN, BLUE])
def test_colors_of_vertices_are_shown(shown, color):
    assert len(CHAIR) == 3
    assert shown(f"COFF\n{COUNTS}{vertices_text(colors=True)}{faces_text()}", color) > 0.05


@pytest.mark.parametrize("color", [RED, GREEN, BLUE])
def test_colors_of_faces_are_shown(shown, color):
    assert shown(f"OFF\n{COUNTS}{vertices_text()}{faces_text(colors=True)}", color) > 0.05


def test_polygons_need_not_be_convex(render, tmp_path):
    """An L: a fan from its first corner would cover what it leaves free."""
    corners = "0 0 0\n3 0 0\n3 1 0\n1 1 0\n1 3 0\n0 3 0\n"
    shares = []
    for number, order in enumerate(("0 1 2 3 4 5", "2 3 4 5 0 1")):
        (tmp_path / f"{number}.off").write_text(f"OFF\n6 1 0\n{corners}6 {order}\n")
        shares.append(render(tmp_path / f"{number}.off", up_axis="z", engine="raster", samples=4)["coverage"])
    assert shares[0] == pytest.approx(shares[1], abs=1e-3)
