"""Both engines show an asset whose files lie around its main file, and nothing that lies outside of its bundle."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from pipeline.values.gltf import decode_data_uri
from tests.render.raster.quads import quad_gltf
from tests.render.shapes import png, textured_quads

RED, BLUE = (200, 30, 40), (20, 40, 190)


@pytest.fixture(params=["raster", "blenderproc"])
def shown(request, render, tmp_path):
    """`shown(members, format)`: the views row of a bundle, and the share of its pixels that are RED."""

    def render_bundle(members: dict[str, bytes], asset_format: str) -> tuple[dict, float]:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        row = render(tmp_path / "a.zip", asset_format, engine=request.param, samples=4)
        rgba = np.concatenate([np.asarray(Image.open(io.BytesIO(image["bytes"]))) for image in row["images"]])
        solid = rgba[rgba[..., 3] == 255][:, :3].astype(int)
        return row, float((np.abs(solid - RED).max(axis=-1) <= 3).mean())

    return render_bundle


def obj_members(texture: str, library: str = "paint.mtl") -> dict[str, bytes]:
    return {
        "models/asset.obj": f"mtllib {library}\n{textured_quads()}".encode(),
        f"models/{library}": f"newmtl m\nmap_Kd {texture}\n".encode(),
    }


def test_textures_above_the_main_file_are_shown(shown):
    row, share = shown({**obj_members("../images/red.png"), "images/red.png": png(RED)}, "obj")
    assert share > 0.95
    assert row["unreadable_textures"] == []


def test_textures_are_named_from_where_the_library_lies(shown):
    members = {**obj_members("../maps/red.png", "mat/paint.mtl"), "models/maps/red.png": png(RED)}
    row, share = shown({**members, "maps/red.png": png(BLUE)}, "obj")
    assert share > 0.95
    assert row["unreadable_textures"] == []


def test_textures_outside_of_the_bundle_are_not_shown(shown, tmp_path):
    (tmp_path / "red.png").write_bytes(png(RED))
    row, share = shown(obj_members(f"../../../../{tmp_path.name}/red.png"), "obj")
    assert share == 0
    assert len(row["unreadable_textures"]) == 1


def test_buffers_and_images_above_a_gltf_file_are_read(shown, tmp_path):
    (tmp_path / "made").mkdir()
    path = quad_gltf(tmp_path / "made", {"baseColorTexture": {"index": 0}})
    document = json.loads(path.read_text())
    buffer = decode_data_uri(document["buffers"][0]["uri"])
    document["images"][0]["uri"] = "../images/red.png"
    document["buffers"][0]["uri"] = "../buffers/quad.bin"
    members = {
        "models/asset.gltf": json.dumps(document).encode(),
        "buffers/quad.bin": buffer,
        "images/red.png": png(RED),
    }
    row, share = shown(members, "gltf")
    assert share > 0.9
    assert row["unreadable_textures"] == []
