"""What the render stage requires of an engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.store.rows import Row
from render.cameras import Cameras
from render.layers import RenderedView

UNPACKED = "asset"  # the folder in an object's own that holds its files


class Unsupported(AssetError):
    """The asset may be fine, but this engine cannot render it as intended; `what` says why."""

    def __init__(self, what: str):
        super().__init__(f"this engine cannot render it: {what}; render it with render.engine: blenderproc")
        self.what = what


@dataclass(frozen=True)
class Rendering:
    """One object, seen by all cameras."""

    engine: str  # as the row names it
    views: Iterator[RenderedView]  # in the cameras' order; each is made or read when it is asked for
    center: np.ndarray  # [3]; world = (z_up(asset) - center) * scale
    scale: float
    triangles: int
    unreadable_textures: list[str]
    engine_reason: str = ""  # why it is not the engine that would have been chosen first


class Engine(Protocol):
    """Renders objects one after the other, by the config that it was made with."""

    def start(self) -> None:
        """Prepare; called once."""

    def render(self, main: Path, asset: Row, cameras: Cameras, folder: Path) -> Rendering:
        """Render one object.

        Args:
            main: the asset's main file, at any depth of `folder / UNPACKED`, which has been checked by
                `render.files.guards`; nothing outside of that folder may be read.
            asset: its row of the assets table.
            cameras: from where it is seen.
            folder: the object's own; files may be left in it until the views have been read.

        Raises:
            Unsupported: another engine may show it.
            AssetError, Timeout, WorkerCrash: as the asset or the engine failed; the next object may work.
        """

    def close(self) -> None:
        """Release everything; called once."""
