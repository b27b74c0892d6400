"""Three scenes made by code, rendered by the raster engine, and how well they are fitted.

Each is a torus around a bumpy ball; they differ in their colours: `easy` varies slowly, `medium` has detail down to a
thirtieth of the object, `hard` is a checkerboard of black and white cubes. 48 views at 256², 36 to train on and 12 held
out.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from benchmarks.fit.reach import climb, first_to_reach
from fit_gaussians.config import FitConfig
from fit_gaussians.stage import FitStage
from pipeline import Corpus
from pipeline.base.errors import PipelineError
from pipeline.stages.stage import Failure, StageContext
from pipeline.store.rows import Row
from render.config import RenderConfig
from render.stage import RenderStage

logger = logging.getLogger(__name__)

VIEWS = RenderConfig(engine="raster", views=48, resolution=256, samples=16, shading="albedo")
LONG = FitConfig(num_gaussians=20_000, iterations=1000, heldout_every=4, backend="numba")
SHORT = LONG.model_copy(update={"num_gaussians": 10_000})
TEXTURE_SIZE = (1024, 512)
GRID = (256, 128)


def scene_figures() -> dict[str, float]:
    """PSNR of 20,000 Gaussians after 1,000 iterations, and the seconds that 10,000 need to 35 dB on `medium`."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, colors in SCENES.items():
            row = render(name, colors, Corpus(folder))
            figures[f"psnr_{name}"] = fitted_psnr(row, Path(folder))
            logger.info("scene %s: %.2f dB", name, figures[f"psnr_{name}"])
            if name == "medium":
                reached = first_to_reach(climb(row, SHORT), 35)
                figures |= {f"cpu_s_to_35_{name}": reached["cpu_s"], f"iterations_to_35_{name}": reached["iterations"]}
    return figures


def smooth(points: np.ndarray) -> np.ndarray:
    """[..., 3] in [0, 1]: waves as long as the object."""
    return 0.5 + 0.4 * np.sin(points @ np.array([[4.0, 1, 0], [0, 3, 2], [2, 0, 4]]) + [0, 1, 2])


def detailed(points: np.ndarray) -> np.ndarray:
    """Waves of three lengths, the shortest a thirtieth of the object."""
    fine = np.sin(points @ np.array([[90.0, 0, 42], [0, 96, 0], [38, 0, 80]]))
    middle = np.sin(points @ np.array([[14.0, 6, 0], [0, 12, 9], [7, 0, 16]]))
    return (0.55 * smooth(points) + 0.22 + 0.13 * middle + 0.2 * fine * middle[..., [1, 2, 0]]).clip(0, 1)


def checkered(points: np.ndarray) -> np.ndarray:
    """Black and white cubes, 15 along the object's largest side."""
    odd = np.floor(points / 0.1).astype(np.int64).sum(-1, keepdims=True) % 2
    return np.repeat(0.05 + 0.9 * odd, 3, -1)


SCENES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"easy": smooth, "medium": detailed, "hard": checkered}


def torus(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Points [..., 3] of parameters in [0, 1]."""
    around, along = 2 * np.pi * u, 2 * np.pi * v
    ring = 0.62 + 0.14 * np.cos(along)
    return np.stack([ring * np.cos(around), ring * np.sin(around), 0.14 * np.sin(along)], -1)


def bumpy_ball(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    around, polar = 2 * np.pi * u, np.pi * v
    direction = np.stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)], -1)
    return direction * (0.40 + 0.03 * np.prod(np.sin(8 * direction), axis=-1, keepdims=True))


def mesh(shape: Callable, colors: Callable) -> trimesh.Trimesh:
    """A closed grid of triangles whose texture shows at each texel the colour of the surface there."""
    columns, rows = GRID
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))  # [rows + 1, columns + 1]
    corner = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    quads = [part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1])]
    faces = np.concatenate([np.stack([quads[a], quads[b], quads[c]], 1) for a, b, c in ((0, 1, 2), (0, 2, 3))])
    width, height = TEXTURE_SIZE
    texel_u, texel_v = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    image = Image.fromarray((colors(shape(texel_u, texel_v)) * 255 + 0.5).astype(np.uint8))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image, metallicFactor=0, roughnessFactor=1)
    visual = trimesh.visual.TextureVisuals(uv=np.stack([u.ravel(), 1 - v.ravel()], 1), material=material)
    return trimesh.Trimesh(shape(u, v).reshape(-1, 3), faces, visual=visual, process=False)


def render(name: str, colors: Callable, corpus: Corpus) -> Row:
    """The row of views of a scene."""
    scene = trimesh.Scene({"torus": mesh(torus, colors), "ball": mesh(bumpy_ball, colors)})
    file = Path(corpus.root) / f"{name}.glb"
    file.write_bytes(scene.export(file_type="glb"))
    stored = corpus.put_asset(file, hashlib.sha256(file.read_bytes()).hexdigest(), "glb")
    stage = RenderStage(VIEWS, StageContext(corpus=corpus, scratch=Path(corpus.root), threads=1))
    stage.setup()
    try:
        asset = {"uid": name, "file": stored, "format": "glb", "up_axis": "z", "rotation": None}
        (row,) = stage.process([asset])
    finally:
        stage.close()
    return row


def fitted_psnr(row: Row, scratch: Path) -> float:
    stage = FitStage(LONG, StageContext(corpus=None, scratch=scratch, threads=1))
    stage.setup()
    (result,) = stage.process([row])
    if isinstance(result, Failure):
        raise PipelineError(result.message)
    return result["psnr"]
