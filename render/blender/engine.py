"""The reference engine: Blender in a separate process."""

from pathlib import Path

import numpy as np

from pipeline.store.rows import Row
from pipeline.values.asset_formats import USD_LAYERS
from pipeline.values.frames import z_up_matrix
from pipeline.values.gltf import is_gltf
from render.blender.process import BlenderProcess
from render.cameras import Cameras
from render.config import RenderConfig
from render.engine import UNPACKED, Rendering
from render.files.animation import remove_animations
from render.files.coordinates import refuse_infinite
from render.geometry import import_frame
from render.layers import read_view


class BlenderEngine:
    """Keeps one Blender process for many objects; see `render.engine.Engine`."""

    def __init__(self, config: RenderConfig, blender: BlenderProcess):
        self.config, self.blender = config, blender

    def start(self) -> None:
        self.blender.start()

    def render(self, main: Path, asset: Row, cameras: Cameras, folder: Path) -> Rendering:
        refuse_infinite(main, folder / UNPACKED)
        if is_gltf(main):
            remove_animations(main)
        manifest = self.blender.run(self._job(main, asset, cameras, folder))
        return Rendering(
            engine="blenderproc",
            views=(read_view(folder / f"view_{index:04d}.exr") for index in range(len(cameras.world_to_camera))),
            center=np.array(manifest["center"]),
            scale=manifest["scale"],
            triangles=manifest["triangles"],
            unreadable_textures=manifest["unreadable_textures"],
        )

    def close(self) -> None:
        self.blender.close()

    def _job(self, main: Path, asset: Row, cameras: Cameras, folder: Path) -> dict:
        """The job for `render.blender.worker`."""
        # What the importer has done to the asset's frame already is undone first.
        to_z_up = z_up_matrix(asset["up_axis"], asset["rotation"]) @ import_frame(asset["format"], asset["up_axis"]).T
        return {
            "folder": str(folder),
            "asset": str(main),
            "root": str(folder / UNPACKED),
            "format": "usdz" if main.suffix in USD_LAYERS else main.suffix[1:],
            "to_z_up": to_z_up.tolist(),
            "world_to_camera": cameras.world_to_camera.tolist(),
            "resolution": self.config.resolution,
            "fov_deg": self.config.fov_deg,
            "samples": self.config.samples,
            "shading": self.config.shading,
            "max_triangles": self.config.max_triangles,
        }
