"""One rendered view in memory, and how it is read from the multilayer OpenEXR file that a renderer wrote."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.base.errors import WorkerCrash
from render.images import straight_srgb


@dataclass(frozen=True)
class RenderedView:
    """What one camera saw."""

    rgba: np.ndarray  # [H, W, 4] uint8, sRGB, straight alpha
    positions: np.ndarray  # [H, W, 3] float32, world: where a ray through the pixel hit the surface; 0, 0, 0: nothing
    normals: np.ndarray  # [H, W, 3] float32, world, averaged over the pixel: not unit, side not fixed


def read_view(path: Path) -> RenderedView:
    """The view in a multilayer file with the passes Combined, Position and Normal.

    Raises:
        WorkerCrash: the file is not there or is not what a renderer should have written.
    """
    import OpenEXR  # only where Blender renders

    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            planes = {name.split(".", 1)[1]: channel.pixels for name, channel in file.channels().items()}
    except Exception as error:  # the library raises bare exceptions of several kinds
        raise WorkerCrash(f"the renderer left an unreadable view {path.name}: {error}") from error
    combined, positions, normals = (
        np.stack([planes[f"{layer}.{axis}"] for axis in axes], axis=-1).astype(np.float32, copy=False)
        for layer, axes in (("Combined", "RGBA"), ("Position", "XYZ"), ("Normal", "XYZ"))
    )
    return RenderedView(straight_srgb(combined), positions, normals)
