"""What the raster engine refuses: always an AssetError, and never a wild read in a kernel."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.base.errors import AssetError
from render.config import RenderConfig
from render.raster.load import load
from render.raster.scene import Material, Part
from tests.render.raster.quads import quad_gltf

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


def refuse(path: Path, match: str | None, max_triangles: int = 100) -> None:
    with pytest.raises(AssetError, match=match):
        load(path, np.eye(3), max_triangles)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("faces", [[[0, 1, 3]], [[0, -1, 2]]])
def test_index_out_of_range(faces):
    with pytest.raises(AssetError, match="a face refers to vertex"):
        Part(np.zeros((3, 3)), np.array(faces), Material())


def test_index_out_of_range_in_files(tmp_path):
    refuse(written(tmp_path / "a.obj", TRIANGLE + "f 1 2 9\n"), "a face refers to a vertex")
    path = quad_gltf(tmp_path)
    document = json.loads(path.read_text())
    document["accessors"][0]["count"] = 2
    path.write_text(json.dumps(document))
    refuse(path, "a face refers to vertex")


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_coordinates_that_are_not_finite(tmp_path, bad):
    refuse(written(tmp_path / "a.obj", f"v 0 0 {bad}\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"), "not finite")


def test_unused_vertices_may_be_anything(tmp_path):
    loaded = load(written(tmp_path / "a.obj", TRIANGLE + "v nan 5 1e9\nf 1 2 3\n"), np.eye(3), 100)
    assert np.allclose(loaded.center, [0.5, 0.5, 0])


def test_degenerate_faces_are_dropped_and_an_object_of_nothing_else_refused(tmp_path):
    text = TRIANGLE + "v 2 0 0\nf 1 2 3\nf 1 1 2\nf 1 2 4\n"
    assert len(load(written(tmp_path / "a.obj", text), np.eye(3), 100).surface.faces) == 1
    refuse(written(tmp_path / "b.obj", TRIANGLE + "v 2 0 0\nf 1 2 4\n"), "none of its faces has an area")


def test_repeated_faces_are_drawn_once(tmp_path):
    path = written(tmp_path / "a.obj", TRIANGLE + "f 1 2 3\nf 3 2 1\n")
    assert len(load(path, np.eye(3), 100).surface.faces) == 1


def test_too_many_triangles(tmp_path):
    refuse(quad_gltf(tmp_path, layers=3), "more than 5 triangles", max_triangles=5)
    refuse(written(tmp_path / "a.obj", TRIANGLE + "v 1 1 0\nf 1 2 3\nf 2 3 4\n"), "more than 1 tri", max_triangles=1)


@pytest.mark.parametrize("text", ["", "garbage", "v 0 0 0\n", TRIANGLE + "f 1 2 x\n"])
@pytest.mark.parametrize("suffix", ["obj", "ply", "stl"])
def test_broken_files(tmp_path, suffix, text):
    refuse(written(tmp_path / f"a.{suffix}", text), None)


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"extensionsUsed": ["KHR_materials_transmission"]}, "KHR_materials_transmission"),
        ({"nodes": [{"mesh": 0, "skin": 0}], "skins": [{"joints": [0]}]}, "no joints or weights"),
        ({"nodes": [{"children": [1]}, {"mesh": 0, "children": [0]}]}, "do not form a tree"),
        ({"nodes": [{"mesh": 0, "children": [0]}]}, "do not form a tree"),
        ({"nodes": [{"mesh": 7}]}, "not valid glTF"),
        ({"buffers": [{"uri": "../secret.bin", "byteLength": 4}]}, "is not in the asset's folder"),
        ({"bufferViews": [{"buffer": 0, "byteLength": 10**9}] * 3}, "reaches beyond its buffer"),
    ],
)
def test_gltf_that_is_broken_or_beyond_this_engine(tmp_path, document, what):
    refuse(quad_gltf(tmp_path, **document), what)


def test_a_refusal_for_want_of_ability_names_the_other_engine(tmp_path):
    refuse(written(tmp_path / "a.fbx", ""), "render.engine: blenderproc")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -s 2 2 2 a.png\n")
    text = "mtllib a.mtl\nusemtl m\n" + TRIANGLE + "f 1 2 3\n"
    refuse(written(tmp_path / "a.obj", text), "options.*render.engine: blenderproc")


def test_textures_outside_of_the_folder_or_broken_are_named_and_replaced_by_the_plain_color(tmp_path):
    folder = tmp_path / "asset"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    (folder / "broken.png").write_bytes(b"\x89PNG and no more")
    text = "mtllib a.mtl\n" + TRIANGLE + "v 1 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
    text += "usemtl m\nf 1/1 2/2 3/3\nusemtl n\nf 2/1 4/2 3/3\n"
    (folder / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd ../secret.png\nnewmtl n\nKd 0 1 0\nmap_Kd broken.png\n")
    loaded = load(written(folder / "a.obj", text), np.eye(3), 100)
    assert loaded.unreadable_textures == ["../secret.png", "broken.png"]
    assert sorted(loaded.surface.base[:, :3].tolist()) == [[0, 1, 0], [1, 0, 0]]
    assert (loaded.surface.textures == -1).all()


def test_config_says_what_the_engine_cannot_do():
    with pytest.raises(ValidationError, match="square number"):
        RenderConfig(engine="raster", samples=20)
