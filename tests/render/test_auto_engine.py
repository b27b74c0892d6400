"""The default engine: raster where it can, Blender elsewhere, and a plain word where Blender is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from pipeline import Corpus
from pipeline.base.errors import AssetError
from pipeline.stages.stage import StageContext
from render import auto_engine
from render.auto_engine import AutoEngine
from render.cameras import fibonacci_cameras
from render.config import RenderConfig
from render.engine import Rendering, Unsupported
from render.stage import RenderStage
from tests.render.raster.quads import quad_gltf
from tests.render.shapes import store_asset

CAMERAS = fibonacci_cameras(2, 32, 40.0)
PLAIN = {"up_axis": "y", "rotation": ()}


class FakeBlender:
    """Stands in where the test is about the choice alone."""

    def __init__(self):
        self.calls = []

    def start(self):
        self.calls.append("start")

    def render(self, main, asset, cameras, folder):
        self.calls.append(asset["uid"])
        return Rendering("blenderproc", iter(()), np.zeros(3), 1.0, 1, [])

    def close(self):
        self.calls.append("close")


class Picky(FakeBlender):
    def render(self, main, asset, cameras, folder):
        if "glass" in asset["uid"]:
            raise Unsupported("it is of glass")
        if "broken" in asset["uid"]:
            raise AssetError("it is broken")
        return Rendering("raster", iter(()), np.zeros(3), 1.0, 1, [])


def choose(engine: AutoEngine, uid: str) -> str:
    return engine.render(Path("a.glb"), {"uid": uid}, CAMERAS, Path()).engine


def test_blender_is_started_once_and_only_when_an_object_needs_it(monkeypatch):
    monkeypatch.setattr(auto_engine, "blender_is_installed", lambda: True)
    blender = FakeBlender()
    engine = AutoEngine(Picky(), lambda: blender)
    engine.start()
    assert choose(engine, "wood") == "raster"
    assert not blender.calls
    assert [choose(engine, uid) for uid in ("glass", "wood", "glass 2")] == ["blenderproc", "raster", "blenderproc"]
    engine.close()
    assert blender.calls == ["start", "glass", "glass 2", "close"]


def test_a_broken_object_is_no_reason_to_ask_blender(monkeypatch):
    monkeypatch.setattr(auto_engine, "blender_is_installed", lambda: True)
    blender = FakeBlender()
    with pytest.raises(AssetError, match="it is broken"):
        choose(AutoEngine(Picky(), lambda: blender), "broken")
    assert not blender.calls


def test_without_blender_the_object_fails_and_the_message_tells_what_to_install(monkeypatch):
    monkeypatch.setattr(auto_engine, "blender_is_installed", lambda: False)
    engine = AutoEngine(Picky(), FakeBlender)
    with pytest.raises(AssetError, match=r"it is of glass.*\[blender\]"):
        choose(engine, "glass")
    assert choose(engine, "wood") == "raster"


def test_the_default_config_chooses_and_its_rows_say_what(tmp_path):
    """With the real Blender: an object with transmission goes there, its neighbour does not."""
    stage = RenderStage(RenderConfig(views=4, resolution=48, samples=4), StageContext(Corpus(tmp_path), tmp_path))
    assert stage.config.engine == "auto"
    trimesh.creation.box().export(tmp_path / "box.ply")
    document = json.loads(quad_gltf(tmp_path).read_text())
    document["materials"] = [{"extensions": {"KHR_materials_transmission": {"transmissionFactor": 1}}}]
    document["extensionsUsed"] = ["KHR_materials_transmission"]
    (tmp_path / "glass.gltf").write_text(json.dumps(document))
    stage.setup()
    try:
        engines = {}
        for name in ("box.ply", "glass.gltf", "box.ply"):
            file = store_asset(stage.context.corpus, tmp_path / name)
            asset = {"uid": name, "file": file, "format": name.rpartition(".")[2], **PLAIN}
            (row,) = stage.process([asset])
            engines[name] = row["engine"], row["engine_reason"]
        assert engines == {
            "box.ply": ("raster", ""),
            "glass.gltf": ("blenderproc", "it uses KHR_materials_transmission"),
        }
    finally:
        stage.close()
