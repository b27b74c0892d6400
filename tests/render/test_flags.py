"""What a row tells of an object beside its views: black all over, animated, how many triangles."""

import json

import numpy as np
import pytest
import trimesh

from pipeline.values.gltf import read_gltf
from render.files.animation import has_animation, remove_animations
from tests.render.shapes import RED, chair_scene

RASTER = {"engine": "raster", "samples": 4}


def box(path, color):
    mesh = trimesh.creation.box((1, 1, 1))
    material = trimesh.visual.material.PBRMaterial(baseColorFactor=[*color, 1.0])
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.zeros((len(mesh.vertices), 2)), material=material)
    mesh.export(path)
    return path


@pytest.mark.parametrize(("color", "is_black"), [((0.0, 0.0, 0.0), True), ((0.02, 0.02, 0.02), False)])
def test_black_objects_are_flagged(render, tmp_path, color, is_black):
    row = render(box(tmp_path / "box.glb", color), **RASTER)
    assert row["all_black"] is is_black
    assert row["triangles"] == 12
    assert row["has_animation"] is False


def test_a_small_bright_part_is_enough_not_to_be_black(render, tmp_path):
    scene = trimesh.Scene([trimesh.load(box(tmp_path / "a.glb", (0, 0, 0)), force="mesh")])
    small = trimesh.load(box(tmp_path / "b.glb", np.array(RED) / 255), force="mesh")
    small.apply_scale(0.25)
    small.apply_translation([0.5, 0.5, 0.5])
    scene.add_geometry(small)
    scene.export(tmp_path / "both.glb")
    assert render(tmp_path / "both.glb", **RASTER)["all_black"] is False


@pytest.mark.parametrize("animations", [[], [{"channels": [], "samplers": []}]])
def test_animations_of_gltf_files(tmp_path, animations):
    (tmp_path / "asset.glb").write_bytes(chair_scene().export(file_type="glb"))
    file = read_gltf(tmp_path / "asset.glb")
    file.document["animations"] = animations
    file.write()
    (tmp_path / "asset.gltf").write_text(json.dumps(file.document))
    for name in ("asset.glb", "asset.gltf"):
        assert has_animation(tmp_path / name) is bool(animations)
        remove_animations(tmp_path / name)
        assert has_animation(tmp_path / name) is False
    assert read_gltf(tmp_path / "asset.glb").binary == file.binary


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("asset.fbx", b"Kaydara FBX Binary ... \x0eAnimationCurve ...", True),
        ("asset.fbx", b"Kaydara FBX Binary ... \x0eAnimationStack ...", False),
        ("asset.dae", b"<COLLADA><library_animations><animation/>", True),
        ("asset.dae", b"<COLLADA><mesh/>", False),
        ("asset.obj", b"v 0 0 0", False),
        ("asset.usdc", b"PXR-USDC", None),
    ],
)
def test_animations_of_other_files(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert has_animation(tmp_path / name) is expected
