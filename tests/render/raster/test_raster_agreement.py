"""The two engines show the same picture of the same asset."""

import io

import numpy as np
import pytest
from PIL import Image

from render.images import decode_rgba
from tests.render.shapes import textured_quads, write_obj_bundle


@pytest.mark.slow
def test_engines_agree_on_a_textured_box(render_in, tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colors).resize((48, 48), Image.Resampling.BILINEAR).save(buffer, "PNG")
    mtl = "newmtl m\nKd 0.2 0.3 0.4\nmap_Kd t.png\n"
    file = write_obj_bundle(tmp_path / "box.zip", textured_quads(), mtl, {"t.png": buffer.getvalue()})
    settings = {"asset_format": "obj", "views": 4, "samples": 64}
    rows = [render_in(tmp_path, file, engine=engine, **settings) for engine in ("blenderproc", "raster")]
    for name in ("center", "scale", "triangles", "intrinsics", "world_to_camera"):
        assert np.allclose(rows[0][name], rows[1][name], atol=1e-6)
    reference, ours = (np.stack([decode_rgba(image["bytes"]) for image in row["images"]]).astype(float) for row in rows)
    shown = (reference[..., 3] > 0) | (ours[..., 3] > 0)
    over_black = [rgba[..., :3] * rgba[..., 3:] / 255 for rgba in (reference, ours)]
    error = np.mean((over_black[0] - over_black[1])[shown] ** 2)
    assert 10 * np.log10(255**2 / error) > 35
    inside = (reference[..., 3] >= 128, ours[..., 3] >= 128)
    assert (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum() > 0.99
    assert abs(len(rows[0]["points"]) - len(rows[1]["points"])) < 0.02 * len(rows[0]["points"])
