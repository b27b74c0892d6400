"""The render stage: one asset in, views with cameras and surface points out."""

import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from pipeline.base.errors import AssetError, ConfigError, PipelineError
from pipeline.stages.stage import Failure, Resources, Row, Stage, StageContext
from pipeline.values.gltf import is_gltf
from render.auto_engine import AutoEngine, blender_is_installed
from render.cameras import Cameras, cameras_at
from render.config import RenderConfig
from render.engine import UNPACKED, Engine, Rendering
from render.files import bundle, draco, guards, off
from render.files.animation import has_animation
from render.images import encode_webp
from render.memory import give_back_free_memory
from render.surface import SurfaceCloud, view_points
from render.view_sets import directions, jittered

BLENDER_START_S = 180  # more than it ever takes
MIN_COVERAGE = 0.002  # a few pixels: an object lost beside an outlier, or all but clear
BLACK = 12  # of 255: what no channel of a black pixel is above
MAX_BRIGHT = 0.005  # of an all black object's area
MAX_COVERAGE = 0.9  # of a camera that leaves room around a sphere: something is in front of it


def make_engine(config: RenderConfig, context: StageContext) -> Engine:
    """The engine that the config names; only its own libraries are imported.

    Raises:
        ConfigError: every object would need Blender, and it is not installed.
    """
    if config.engine == "blenderproc":
        return _blender(config, context)
    if config.shading == "studio" and not blender_is_installed():
        raise ConfigError("render.shading: studio needs Blender, which is not installed: install the extra [blender]")
    from render.raster.engine import RasterEngine

    raster = RasterEngine(config)
    return raster if config.engine == "raster" else AutoEngine(raster, lambda: _blender(config, context))


def _blender(config: RenderConfig, context: StageContext) -> Engine:
    from render.blender.engine import BlenderEngine
    from render.blender.process import BlenderProcess, Limits

    limits = Limits(context.threads, config.timeout_s, config.memory_gb, config.recycle_after, config.recycle_gb)
    return BlenderEngine(config, BlenderProcess(context.scratch, limits))


class RenderStage(Stage[RenderConfig]):
    """Keeps one engine for many objects."""

    name = "render"
    reads: ClassVar = {"assets": ("file", "format", "up_axis", "rotation")}
    writes = "views"
    batch_size = 1

    def __init__(self, config: RenderConfig, context: StageContext):
        super().__init__(config, context)
        self.directions = directions(config.view_set, config.views)
        self.engine: Engine | None = None

    @classmethod
    def resources(cls, config: RenderConfig) -> Resources:
        return Resources(cpus=1, memory_gb=2.5)

    @classmethod
    def timeout_s(cls, config: RenderConfig) -> float:
        """Blender is killed by its client; an engine in this process can only be stopped with it."""
        own = {"raster": config.timeout_s, "auto": 2 * config.timeout_s + BLENDER_START_S}
        return own.get(config.engine) or super().timeout_s(config)

    def setup(self) -> None:
        self.engine = make_engine(self.config, self.context)
        self.engine.start()

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        return [self._render(asset) for asset in batch]

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    def _render(self, asset: Row) -> Row:
        """The `views` row of one asset.

        Raises:
            AssetError, Timeout, WorkerCrash: as the asset or the engine failed.
        """
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="render-", dir=self.context.scratch) as name:
                folder, cameras = Path(name), self.cameras(asset["uid"])
                main = self._unpack(asset, folder)
                moves = has_animation(main)  # an engine may take it out of the file
                assert self.engine is not None, "setup() comes first"
                row = self._row(self.engine.render(main, asset, cameras, folder), cameras)
        except PipelineError as error:
            error.args = (f"object {asset['uid']}: {error}",)
            raise
        finally:
            give_back_free_memory()
        return {"uid": asset["uid"], **row, "has_animation": moves, "render_seconds": time.monotonic() - started}

    def cameras(self, uid: str) -> Cameras:
        """From where an object is seen: the same for all objects, unless they are jittered."""
        config, seen_from = self.config, self.directions
        if config.jitter_deg:
            seen_from = jittered(seen_from, config.jitter_deg, uid)
        return cameras_at(seen_from, config.resolution, config.fov_deg)

    def _unpack(self, asset: Row, folder: Path) -> Path:
        """The asset's main file, checked, somewhere below `folder / UNPACKED`."""
        stored = folder / f"stored{Path(asset['file']).suffix}"
        self.context.corpus.get_asset(asset["file"], stored)
        root = folder / UNPACKED
        root.mkdir()
        main = bundle.unpack(stored, asset["format"], root)
        guards.check(main, self.config.max_texture_pixels, root)
        if is_gltf(main):
            draco.decompress(main, root)
        return off.to_obj(main) if main.suffix == ".off" else main

    def _row(self, rendering: Rendering, cameras: Cameras) -> Row:
        config, cloud, coverage, bright = self.config, SurfaceCloud(cameras), 0.0, 0.0
        images: list[dict[str, Any]] = []
        positions = cameras.positions
        for view in rendering.views:
            index = len(images)
            coverage += float(view.rgba[..., 3].mean()) / 255 / config.views
            bright += float((view.rgba[..., :3].max(axis=-1) > BLACK)[view.rgba[..., 3] > 0].sum())
            images.append({"bytes": encode_webp(view.rgba), "path": f"{index:03d}.webp"})
            cloud.add(view_points(view, positions[index]))
            del view  # before the next one is made: it takes megabytes
        if not MIN_COVERAGE <= coverage <= MAX_COVERAGE:
            raise AssetError(f"it covers {coverage:.2%} of its views, not {MIN_COVERAGE:.1%} to {MAX_COVERAGE:.0%}")
        surface = cloud.points(config.surface_points)
        if not len(surface.positions):
            raise AssetError("its views show no surface, only translucent edges")
        return {
            "images": images,
            "width": config.resolution,
            "height": config.resolution,
            "intrinsics": cameras.intrinsics,
            "world_to_camera": cameras.world_to_camera.reshape(-1, 16),
            "center": rendering.center,
            "scale": rendering.scale,
            "points": surface.positions,
            "point_normals": surface.normals,
            "point_colors": surface.colors,
            "engine": rendering.engine,
            "engine_reason": rendering.engine_reason,
            "shading": config.shading,
            "samples": config.samples,
            "triangles": rendering.triangles,
            "unreadable_textures": rendering.unreadable_textures,
            "coverage": coverage,
            "all_black": bright <= MAX_BRIGHT * coverage * config.views * config.resolution**2,
        }
