"""The render stage: one asset in, views with cameras and surface points out."""

import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.errors import AssetError, PipelineError
from pipeline.stage import Failure, Resources, Row, Stage, StageContext
from render import bundle, gltf, guards
from render.blender_process import BlenderProcess, Limits
from render.cameras import fibonacci_cameras
from render.config import RenderConfig
from render.geometry import import_frame, z_up_matrix
from render.images import encode_webp
from render.layers import read_view
from render.surface import surface_points, view_points

MIN_COVERAGE = 0.002  # a few pixels: an object lost beside an outlier, or all but clear
MAX_COVERAGE = 0.9  # of a camera that leaves room around a sphere: something is in front of it


class RenderStage(Stage):
    """Keeps one Blender process for many objects."""

    name = "render"
    reads: ClassVar = {"assets": ("file", "format", "up_axis", "rotation")}
    writes = "views"
    batch_size = 1

    def __init__(self, config: RenderConfig, context: StageContext):
        super().__init__(config, context)
        self.cameras = fibonacci_cameras(config.views, config.resolution, config.fov_deg)
        self.blender: BlenderProcess | None = None

    @classmethod
    def resources(cls, config: RenderConfig) -> Resources:
        return Resources(cpus=1, memory_gb=2.5)

    @classmethod
    def timeout_s(cls, config: RenderConfig) -> float:
        # Blender's own limit holds for its start and for its work; this one is for what hangs before and after it.
        return 2 * config.timeout_s + 600

    def setup(self) -> None:
        config = self.config
        limits = Limits(self.context.threads, config.timeout_s, config.memory_gb, config.recycle_after)
        self.blender = BlenderProcess(self.context.scratch, limits)
        self.blender.start()

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        return [self._render(asset) for asset in batch]

    def close(self) -> None:
        if self.blender is not None:
            self.blender.close()

    def _render(self, asset: Row) -> Row:
        """The `views` row of one asset.

        Raises:
            AssetError, Timeout, WorkerCrash: as the asset or Blender failed.
        """
        started = time.monotonic()
        try:
            with self.blender.job_folder() as folder:
                manifest = self.blender.run(self._job(asset, folder))
                row = self._row(manifest, folder)
        except PipelineError as error:
            error.args = (f"object {asset['uid']}: {error}",)
            raise
        return {"uid": asset["uid"], **row, "render_seconds": time.monotonic() - started}

    def _job(self, asset: Row, folder: Path) -> dict:
        """What `render.blender_worker` is told; the asset lies unpacked and checked in `folder`."""
        stored = folder / f"stored{Path(asset['file']).suffix}"
        self.context.corpus.get_asset(asset["file"], stored)
        (folder / "asset").mkdir()
        main = bundle.unpack(stored, asset["format"], folder / "asset")
        guards.check(main, self.config.max_texture_pixels)
        if main.suffix in (".glb", ".gltf"):
            gltf.remove_animations(main)
        # What the importer has done to the asset's frame already is undone first.
        to_z_up = z_up_matrix(asset["up_axis"], asset["rotation"]) @ import_frame(asset["format"], asset["up_axis"]).T
        return {
            "folder": str(folder),
            "asset": str(main),
            "format": asset["format"],
            "to_z_up": to_z_up.tolist(),
            "world_to_camera": self.cameras.world_to_camera.tolist(),
            "resolution": self.config.resolution,
            "fov_deg": self.config.fov_deg,
            "samples": self.config.samples,
            "shading": self.config.shading,
            "max_triangles": self.config.max_triangles,
        }

    def _row(self, manifest: dict, folder: Path) -> Row:
        config, images, points, coverage = self.config, [], [], 0.0
        for index, position in enumerate(self.cameras.positions):
            view = read_view(folder / f"view_{index:04d}.exr")
            coverage += float(view.rgba[..., 3].mean()) / 255 / config.views
            images.append({"bytes": encode_webp(view.rgba), "path": f"{index:03d}.webp"})
            points.append(view_points(view, position))
        if not MIN_COVERAGE <= coverage <= MAX_COVERAGE:
            raise AssetError(f"it fills {coverage:.2%} of its views; {MIN_COVERAGE:.1%} to {MAX_COVERAGE:.0%} is fine")
        surface = surface_points(points, self.cameras, config.surface_points)
        if not len(surface.positions):
            raise AssetError("its views show no surface, only translucent fringes")
        return {
            "images": images,
            "width": config.resolution,
            "height": config.resolution,
            "intrinsics": self.cameras.intrinsics,
            "world_to_camera": self.cameras.world_to_camera.reshape(-1, 16),
            "center": np.array(manifest["center"]),
            "scale": manifest["scale"],
            "points": surface.positions,
            "point_normals": surface.normals,
            "point_colors": surface.colors,
            "engine": config.engine,
            "shading": config.shading,
            "samples": config.samples,
            "triangles": manifest["triangles"],
            "unreadable_textures": manifest["unreadable_textures"],
            "coverage": coverage,
        }
