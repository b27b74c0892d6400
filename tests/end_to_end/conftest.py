"""Two corpora from the same small folder of assets: one by Ray in one go, one by the local executor stage by stage."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.end_to_end.command import run_pipeline

CONFIG = """
assets: {source: folder, path: %s, shard_size: 3, val_fraction: 0.0, heldout_fraction: 0.34}
render: {views: 8, resolution: 64, samples: 4}
fit: {num_gaussians: 600, iterations: 60}
caption: {captioner: metadata}
embed: {encoder: conse}
train: {model: tiny, steps: 4, batch_size: 2, warmup_steps: 1}
"""


def checkerboard(colors: tuple[tuple[int, int, int], tuple[int, int, int]]) -> Image.Image:
    """A 64x64 board of 8x8 fields in two colours."""
    fields = np.indices((64, 64)).sum(0) // 8 % 2
    return Image.fromarray(np.array(colors, np.uint8)[fields])


def textured(mesh: trimesh.Trimesh, image: Image.Image) -> trimesh.Trimesh:
    """The mesh with `image` wrapped around its vertical axis."""
    angles = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]) / (2 * np.pi) + 0.5
    heights = mesh.vertices[:, 2] - mesh.vertices[:, 2].min()
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image, metallicFactor=0.0)
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.stack([angles, heights], 1), material=material)
    return mesh


@pytest.fixture(scope="session")
def asset_folder(tmp_path_factory) -> Path:
    """Five good assets in four formats, and three that nothing can be made of."""
    folder = tmp_path_factory.mktemp("assets")
    red_white, blue_black = ((200, 30, 30), (240, 240, 240)), ((20, 40, 180), (10, 10, 10))
    textured(trimesh.creation.cylinder(0.4, 1.0), checkerboard(red_white)).export(folder / "red drum.glb")
    textured(trimesh.creation.cone(0.5, 1.0), checkerboard(blue_black)).export(folder / "blue cone.glb")
    ball = trimesh.creation.icosphere(subdivisions=3)
    ball.visual.vertex_colors = (127 + 127 * ball.vertex_normals).astype(np.uint8)
    ball.export(folder / "rainbow ball.ply")
    trimesh.creation.annulus(0.3, 0.6, 0.3).export(folder / "grey ring.stl")
    write_obj_box(folder / "green box.obj", color=(0.1, 0.6, 0.2))

    whole = (folder / "red drum.glb").read_bytes()
    (folder / "truncated.glb").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.obj").write_text("")
    (folder / "letter.glb").write_text("Dear reader, this is not a model.\n")
    return folder


def write_obj_box(path: Path, color: tuple[float, float, float]) -> None:
    """A box whose colour is the Kd of its MTL file."""
    box = trimesh.creation.box((1.0, 0.6, 0.8))
    lines = ["mtllib box.mtl", "usemtl paint"]
    lines += ["v {:.4f} {:.4f} {:.4f}".format(*vertex) for vertex in box.vertices]
    lines += ["f {} {} {}".format(*(face + 1)) for face in box.faces]
    path.write_text("\n".join(lines) + "\n")
    path.with_name("box.mtl").write_text("newmtl paint\nKd {} {} {}\n".format(*color))


@pytest.fixture(scope="session")
def config_file(asset_folder, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("config") / "small.yaml"
    file.write_text(CONFIG % asset_folder)
    return file


@pytest.fixture(scope="session")
def ray_corpus(config_file, tmp_path_factory) -> Path:
    """Every stage, in one command, by Ray."""
    corpus = tmp_path_factory.mktemp("by_ray") / "corpus"
    run_pipeline("--stage", "all", "--config", str(config_file), "--corpus", str(corpus), "--executor", "ray")
    return corpus


@pytest.fixture(scope="session")
def local_corpus(config_file, tmp_path_factory) -> Path:
    """Three stages on their own, then the rest, by the local executor."""
    corpus = tmp_path_factory.mktemp("by_hand") / "corpus"
    common = ("--config", str(config_file), "--corpus", str(corpus), "--executor", "local")
    for stage in ("assets", "render", "fit", "all"):
        run_pipeline("--stage", stage, *common)
    return corpus
