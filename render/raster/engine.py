"""The raster engine: a z-buffer of our own, in the stage's own process."""

from pathlib import Path

from pipeline.base.errors import AssetError
from pipeline.store.rows import Row
from pipeline.values.frames import z_up_matrix
from render.cameras import Cameras
from render.config import RenderConfig
from render.engine import UNPACKED, Rendering, Unsupported
from render.memory import give_back_free_memory
from render.raster.load import load, without_emission
from render.raster.occlusion import UNLIT, bake
from render.raster.rasterizer import Rasterizer


class RasterEngine:
    """Draws unlit (`albedo`) or matte surfaces (`diffuse`) in one thread; see `render.engine.Engine`."""

    def __init__(self, config: RenderConfig):
        self.config = config

    def start(self) -> None:
        """Nothing needs to be ready."""

    def render(self, main: Path, asset: Row, cameras: Cameras, folder: Path) -> Rendering:
        if self.config.shading == "studio":
            raise Unsupported("shading studio needs full materials")
        to_z_up = z_up_matrix(asset["up_axis"], asset["rotation"])
        try:
            loaded = load(main, to_z_up, self.config.max_triangles, folder / UNPACKED)
        except MemoryError as error:
            raise AssetError("loading it needs more memory than there is") from error
        give_back_free_memory()  # the file's words take many times what they mean
        surface, sky = loaded.surface, UNLIT
        if self.config.shading == "diffuse":
            surface = without_emission(surface)
            sky = bake(surface)
        rasterizer, views = Rasterizer(cameras, self.config.samples), range(len(cameras.world_to_camera))
        return Rendering(
            engine="raster",
            views=(rasterizer.render(surface, view, sky) for view in views),
            center=loaded.center,
            scale=loaded.scale,
            triangles=len(loaded.surface.faces),
            unreadable_textures=loaded.unreadable_textures,
        )

    def close(self) -> None:
        """Nothing is kept."""
