"""Shading `studio`: whole materials under a neutral environment."""

import numpy as np
import pytest
import trimesh
from pydantic import ValidationError

from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.stages.stage import StageContext
from render.config import RenderConfig
from render.stage import RenderStage
from tests.render.blender.test_blender_traps import GREY, has_color, pixels
from tests.render.shapes import chair_scene, store_asset


def ball(path, color, metallic: float, roughness: float):
    mesh = trimesh.creation.icosphere(3)
    material = trimesh.visual.material.PBRMaterial(
        baseColorFactor=color, metallicFactor=metallic, roughnessFactor=roughness
    )
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.zeros((len(mesh.vertices), 2)), material=material)
    mesh.export(path)
    return path


def surface(row) -> np.ndarray:
    """[N, 3] colours of all opaque pixels."""
    rgba = pixels(row)
    return rgba[rgba[..., 3] == 255][:, :3]


def test_a_matte_grey_ball_shows_neutral_light_from_above(render, tmp_path):
    row = render(ball(tmp_path / "ball.glb", [0.5, 0.5, 0.5, 1.0], 0.0, 1.0), shading="studio", samples=32)
    colors = surface(row)
    assert np.abs(colors - colors.mean(axis=1, keepdims=True)).max() <= 3  # grey
    up = row["point_normals"][:, 2]
    brightness = row["point_colors"].mean(axis=1)
    assert brightness[up > 0.8].mean() > brightness[up < -0.8].mean() + 20
    assert 60 < brightness.mean() < 230


def test_a_metal_ball_mirrors_its_surroundings(render, tmp_path):
    """It is not one colour per height of the normal, as a matte one is: it shows highlights that follow the view."""
    spreads = {}
    for name, metallic, roughness in (("matte", 0.0, 1.0), ("metal", 1.0, 0.05)):
        row = render(
            ball(tmp_path / f"{name}.glb", [0.9, 0.6, 0.2, 1.0], metallic, roughness), shading="studio", samples=32
        )
        level = np.abs(row["point_normals"][:, 2]) < 0.15
        spreads[name] = row["point_colors"][level].astype(float).mean(axis=1).std()
    assert spreads["metal"] > 2 * spreads["matte"]


def test_the_next_object_has_its_own_light_again(render, tmp_path):
    chair_scene().export(tmp_path / "chair.glb")
    before = render(tmp_path / "chair.glb", shading="diffuse")
    render(tmp_path / "chair.glb", shading="studio")
    after = render(tmp_path / "chair.glb", shading="diffuse")
    assert [image["bytes"] for image in before["images"]] == [image["bytes"] for image in after["images"]]


def test_colors_stay_what_they_are(render, tmp_path):
    row = render(ball(tmp_path / "ball.glb", [0.8, 0.05, 0.05, 1.0], 0.0, 1.0), shading="studio", samples=32)
    red, green, blue = surface(row).mean(axis=0)
    assert red > 2 * green
    assert green == pytest.approx(blue, abs=4)
    assert not has_color(row, GREY)


def test_only_blender_has_a_studio():
    with pytest.raises(ValidationError, match="studio needs engine: blenderproc or auto"):
        RenderConfig(engine="raster", shading="studio")


def test_auto_takes_every_object_to_blender_for_a_studio(tmp_path):
    config = RenderConfig(shading="studio", views=2, resolution=32, samples=8)  # the default engine; no square number
    ball(tmp_path / "ball.glb", [0.5, 0.5, 0.5, 1.0], 0.0, 1.0)
    stage = RenderStage(config, StageContext(Corpus(tmp_path), tmp_path))
    stage.setup()
    try:
        file = store_asset(stage.context.corpus, tmp_path / "ball.glb")
        asset = {"uid": "ball", "file": file, "format": "glb", "up_axis": "y", "rotation": ()}
        (row,) = stage.process([asset])
    finally:
        stage.close()
    assert (row["engine"], row["engine_reason"]) == ("blenderproc", "shading studio needs full materials")


def test_a_studio_without_blender_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("render.stage.blender_is_installed", lambda: False)
    stage = RenderStage(RenderConfig(shading="studio"), StageContext(Corpus(tmp_path), tmp_path))
    with pytest.raises(ConfigError, match=r"studio needs Blender.*\[blender\]"):
        stage.setup()
