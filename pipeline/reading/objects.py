"""One object of a corpus, as arrays and pictures."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from pipeline.store.rows import Row
from pipeline.values.frames import z_up_matrix
from pipeline.values.names import file_stem
from pipeline.values.packed import pack
from pipeline.values.pictures import decode_view
from pipeline.values.splat import ATTRIBUTES, Gaussians


@dataclass(frozen=True)
class CorpusObject:
    """What a corpus knows of one object. `row` has the columns of docs/dataset.md, as far as the object got."""

    row: Row

    @property
    def uid(self) -> str:
        uid: str = self.row["uid"]
        return uid

    @property
    def name(self) -> str:
        name: str = self.row["name"]
        return name

    @property
    def caption(self) -> str:
        """The caption; empty if the object has none yet."""
        caption: str = self.row.get("caption", "")
        return caption

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """What joined tables know of it (`assets.annotations`), by column; empty in corpora without them."""
        known: dict[str, Any] = json.loads(self.row.get("annotations") or "{}")
        return known

    @cached_property
    def views(self) -> list[Image.Image]:
        """All views, RGBA."""
        return [self.view(i) for i in range(len(self.row["images"]))]

    def view(self, number: int) -> Image.Image:
        """One view, RGBA with straight alpha."""
        return decode_view(self.row["images"][number]["bytes"], None, f"object {self.uid}, view {number}")

    @property
    def world_to_camera(self) -> np.ndarray:
        """[V, 4, 4], OpenCV axes."""
        flat: np.ndarray = self.row["world_to_camera"]
        return flat.reshape(-1, 4, 4)

    @property
    def intrinsics(self) -> np.ndarray:
        """[V, 4] fx, fy, cx, cy in pixels, pixel centres at .5."""
        intrinsics: np.ndarray = self.row["intrinsics"]
        return intrinsics

    @property
    def splat(self) -> dict[str, np.ndarray]:
        """means [N, 3], quats [N, 4] wxyz, scales [N, 3], opacities [N], colors [N, 3]: float32, after activation."""
        return {name: self.row[name] for name in ATTRIBUTES}

    @property
    def gaussians(self) -> np.ndarray:
        """[N, 14] float32 in the order of the CLIP-GS paper: means, colors, opacity, scales, quats."""
        return pack(self.row)

    def to_asset_frame(self, points: np.ndarray) -> np.ndarray:
        """World points [N, 3] in the frame of the asset's own file: undoes centring, scaling and turning upright."""
        z_up = z_up_matrix(self.row["up_axis"], self.row["rotation"])
        in_asset: np.ndarray = (points / self.row["scale"] + self.row["center"]) @ z_up
        return in_asset

    def export(self, format: Literal["ply", "spz"], path: str | Path = "") -> Path:
        """Write the splat as a file that viewers open; returns its path (by default UID.FORMAT in the working folder).

        Raises:
            ValueError: another format.
        """
        target = Path(path or f"{file_stem(self.uid)}.{format}")
        splat = Gaussians.from_row(self.row)
        mode, eps2d = self.row["rasterize_mode"], self.row["eps2d"]
        if format == "ply":
            from pipeline.values.ply import write_ply

            write_ply(target, splat, mode, eps2d)
        elif format == "spz":
            from pipeline.values.spz import spz_bytes

            target.write_bytes(spz_bytes(splat, antialiased=mode == "antialiased"))
        else:
            raise ValueError(f"cannot export {format!r}: the formats are ply and spz")
        return target
