"""One Blender process for all of this folder's tests, and a way to render an asset file with it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline import Corpus
from pipeline.stages.stage import StageContext
from pipeline.store.rows import Row
from render.auto_engine import blender_is_installed
from render.blender.engine import BlenderEngine
from render.blender.process import BlenderProcess, Limits
from render.config import RenderConfig
from render.stage import RenderStage
from tests.render.shapes import store_asset

SMALL = {"engine": "blenderproc", "views": 6, "resolution": 64, "samples": 8, "surface_points": 3000}


@pytest.fixture(scope="session")
def blender(tmp_path_factory) -> Iterator[BlenderProcess]:
    if not blender_is_installed():
        pytest.skip("needs Blender (bpy)")
    process = BlenderProcess(tmp_path_factory.mktemp("scratch"), Limits(1, 120, 6, 1000))
    yield process
    process.close()


@pytest.fixture(scope="session")
def render_in(request) -> Callable[..., Row]:
    """`render_in(folder, file, up_axis=…, rotation=…, samples=…)`: the views row of an asset file (plain or .zip)."""

    def render_file(
        folder: Path, file: Path, asset_format: str = "", up_axis: str = "y", rotation=(), **settings
    ) -> Row:
        (folder / "corpus").mkdir(exist_ok=True)
        corpus = Corpus(folder / "corpus")
        stage = RenderStage(RenderConfig(**{**SMALL, **settings}), StageContext(corpus, folder))
        if stage.config.engine == "raster":
            stage.setup()
        else:  # what setup() would make, around the Blender that runs already
            stage.engine = BlenderEngine(stage.config, request.getfixturevalue("blender"))
        asset = {
            "uid": file.stem,
            "file": store_asset(corpus, file),
            "format": asset_format or file.suffix[1:],
            "up_axis": up_axis,
            "rotation": rotation,
        }
        return stage.process([asset])[0]

    return render_file


@pytest.fixture
def render(render_in, tmp_path: Path) -> Callable[..., Row]:
    """`render_in` with the test's own folder."""
    return partial(render_in, tmp_path)
