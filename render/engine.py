"""What the render stage asks of an engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.rows import Row
from render.layers import RenderedView


@dataclass(frozen=True)
class Rendering:
    """One object, seen by all cameras."""

    views: Iterator[RenderedView]  # in the cameras' order; each is made or read when it is asked for
    center: np.ndarray  # [3]; world = (z_up(asset) - center) * scale
    scale: float
    triangles: int
    unreadable_textures: list[str]


class Engine(Protocol):
    """Renders objects one after the other, for the cameras and the config that it was made with."""

    def start(self) -> None:
        """Get ready; called once."""

    def render(self, main: Path, asset: Row, folder: Path) -> Rendering:
        """Render one object.

        Args:
            main: the asset's main file, unpacked into a folder of its own and checked by `render.guards`.
            asset: its row of the assets table.
            folder: where files may be left until the views have been read.

        Raises:
            AssetError, Timeout, WorkerCrash: as the asset or the engine failed; the next object may work.
        """

    def close(self) -> None:
        """Let go of everything; called once."""
