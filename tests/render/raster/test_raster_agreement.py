"""The two engines show the same picture of the same asset."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.values.pictures import view_pixels
from tests.render.shapes import textured_quads, write_obj_bundle


@pytest.mark.slow
@pytest.mark.parametrize(("shading", "least_db"), [("albedo", 35), ("diffuse", 32)])
def test_engines_agree_on_a_textured_box_in_a_corner(render_in, tmp_path, shading, least_db):
    colors = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colors).resize((48, 48), Image.Resampling.BILINEAR).save(buffer, "PNG")
    mtl = "newmtl m\nKd 0.2 0.3 0.4\nmap_Kd t.png\n"
    mtl += "newmtl wall\nKd 0.8 0.7 0.6\n"
    walls = "v -0.6 -0.6 -0.6\nv 2 -0.6 -0.6\nv 2 -0.6 2\nv -0.6 -0.6 2\nv -0.6 2 -0.6\nv 2 2 -0.6\n"
    walls += "usemtl wall\nf 9 10 11 12\nf 9 13 14 10\n"
    file = write_obj_bundle(tmp_path / "box.zip", textured_quads() + walls, mtl, {"t.png": buffer.getvalue()})
    settings = {"asset_format": "obj", "views": 4, "samples": 64, "shading": shading}
    rows = [render_in(tmp_path, file, engine=engine, **settings) for engine in ("blenderproc", "raster")]
    for name in ("center", "scale", "triangles", "intrinsics", "world_to_camera"):
        assert np.allclose(rows[0][name], rows[1][name], atol=1e-6)
    reference, ours = (
        np.stack([view_pixels(image["bytes"], None, "a view") for image in row["images"]]).astype(float) for row in rows
    )
    shown = (reference[..., 3] > 0) | (ours[..., 3] > 0)
    over_black = [rgba[..., :3] * rgba[..., 3:] / 255 for rgba in (reference, ours)]
    error = np.mean((over_black[0] - over_black[1])[shown] ** 2)
    assert 10 * np.log10(255**2 / error) > least_db
    inside = (reference[..., 3] >= 128, ours[..., 3] >= 128)
    assert (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum() > 0.99
    assert abs(len(rows[0]["points"]) - len(rows[1]["points"])) < 0.02 * len(rows[0]["points"])
