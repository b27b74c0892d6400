"""The engine of the default config: the raster engine, and Blender for what it cannot render."""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.base.errors import AssetError
from pipeline.store.rows import Row
from render.cameras import Cameras
from render.engine import Engine, Rendering, Unsupported

log = logging.getLogger(__name__)


def blender_is_installed() -> bool:
    return importlib.util.find_spec("bpy") is not None


class AutoEngine:
    """Chooses for each object; Blender is started when the first object needs it. See `render.engine.Engine`."""

    def __init__(self, raster: Engine, make_blender: Callable[[], Engine]):
        self._raster, self._make_blender = raster, make_blender
        self._blender: Engine | None = None

    def start(self) -> None:
        self._raster.start()

    def render(self, main: Path, asset: Row, cameras: Cameras, folder: Path) -> Rendering:
        """As `Engine.render`.

        Raises:
            AssetError: also if the object needs Blender and it is not installed.
        """
        try:
            return self._raster.render(main, asset, cameras, folder)
        except Unsupported as error:
            log.info("object %s goes to Blender: %s", asset["uid"], error.what)
            if self._blender is None:
                self._blender = self._started_blender(error)
            return replace(self._blender.render(main, asset, cameras, folder), engine_reason=error.what)

    def close(self) -> None:
        self._raster.close()
        if self._blender is not None:
            self._blender.close()

    def _started_blender(self, reason: Unsupported) -> Engine:
        if not blender_is_installed():
            raise AssetError(f"{reason.what}: only Blender renders that; install the extra [blender]") from reason
        blender = self._make_blender()
        blender.start()
        return blender
