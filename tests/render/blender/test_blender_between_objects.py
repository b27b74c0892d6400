"""What one object leaves to the next in a Blender worker: nothing; and the renderer's settings, which must all hold."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from render.cameras import fibonacci_cameras
from render.files.bundle import unpack
from tests.render.shapes import BLUE, RED, png, textured_quads, write_obj_bundle


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict:
    """What watch_blender_worker.py saw of a red box, a blue box, and the red one again."""
    folder = tmp_path_factory.mktemp("watched")
    jobs = []
    for number, (name, color) in enumerate((("red", RED), ("blue", BLUE), ("red", RED))):
        files = {f"{name}.png": png(color)}
        zipped = write_obj_bundle(folder / "box.zip", textured_quads(), f"newmtl m\nmap_Kd {name}.png\n", files)
        (folder / f"asset{number}").mkdir()
        jobs.append(job(unpack(zipped, "obj", folder / f"asset{number}"), folder / f"job{number}"))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).with_name("watch_blender_worker.py")
    command = [sys.executable, str(script), str(folder / "jobs.json")]
    environment = {**os.environ, "PYTHONPATH": str(script.parents[3])}
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment)
    statuses = [json.loads((folder / f"job{n}" / "manifest.json").read_text())["status"] for n in range(3)]
    assert statuses == ["done"] * 3
    return json.loads(ended.stdout.splitlines()[-1])


def job(main: Path, folder: Path) -> dict:
    return {
        "folder": str(folder),
        "asset": str(main),
        "root": str(main.parent),
        "format": "obj",
        "to_z_up": np.eye(3).tolist(),
        "world_to_camera": fibonacci_cameras(2, 32, 40).world_to_camera.tolist(),
        "resolution": 32,
        "fov_deg": 40,
        "samples": 4,
        "shading": "albedo",
        "max_triangles": 1000,
    }


def test_nothing_of_an_object_is_left_when_the_next_one_comes(seen):
    for start in seen["emptied"]:
        assert start["objects"] in ([], ["Camera"])
        left = {kind: start[kind] for kind in ("meshes", "materials", "images", "armatures", "actions", "lights")}
        assert not any(left.values()), left


def test_each_render_knows_its_own_texture_alone(seen):
    names = [[Path(path).name for path in paths] for paths in seen["rendered"]]
    assert names == [["red.png"], ["blue.png"], ["red.png"]]


def test_the_renderers_scene_is_never_kept_for_the_next_object(seen):
    """With persistent data on, Cycles shows the textures of the object before."""
    assert [start["persistent_before"] for start in seen["emptied"]] == [False] * 3
    assert not seen["settings"]["persistent"]


def test_the_renderers_defaults_are_overridden(seen):
    assert seen["settings"] == {
        "samples": 4,
        "denoiser": False,
        "adaptive": False,
        "view_transform": "Standard",
        "look": "None",
        "exposure": 0,
        "gamma": 1,
        "dither": 0,
        "filter": "BOX",
        "film_transparent": True,
        "auto_tile": False,
        "compositing": False,
        "persistent": False,
    }


def test_blender_is_the_very_version_that_was_measured():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    pins = [Requirement(text) for text in project["optional-dependencies"]["blender"] if text.startswith("bpy")]
    assert [str(pin.specifier) for pin in pins] == [f"=={version('bpy')}"]
