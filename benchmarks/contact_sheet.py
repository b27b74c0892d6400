"""Objects of a corpus in every shading, on one picture: to be looked at.

    python -m benchmarks.contact_sheet CORPUS SHEET.webp [--objects 20] [--size 160]

CORPUS has finished its assets stage. Each column is an object, seen from the same camera: the raster engine's `albedo`
and `diffuse`, and Blender's `studio`.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.render_views import assets_of, evenly, rendered
from pipeline.corpus import Corpus
from render.config import RenderConfig

ROWS = (("raster", "albedo"), ("raster", "diffuse"), ("blenderproc", "studio"))
COLUMNS = 10
# The first of three directions of the Fibonacci sphere looks from above.
CAMERA = {"views": 3, "samples": 16}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_sheet", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--size", type=int, default=160)
    arguments = parser.parse_args()
    corpus = Corpus(arguments.corpus)
    assets = evenly(assets_of(corpus), arguments.objects)
    strips = []
    for engine, shading in ROWS:
        config = RenderConfig(engine=engine, shading=shading, resolution=arguments.size, **CAMERA)
        strips.append([over_white(result.rgba, arguments.size) for result in rendered(corpus, assets, config)])
    blocks = []
    for first in range(0, len(assets), COLUMNS):
        for strip in strips:
            tiles = strip[first : first + COLUMNS]
            blank = [np.full_like(tiles[0], 255)] * (min(COLUMNS, len(assets)) - len(tiles))
            blocks.append(np.concatenate(tiles + blank, axis=1))
    Image.fromarray(np.concatenate(blocks)).save(arguments.sheet, quality=80)


def over_white(rgba_VHW4: np.ndarray, size: int) -> np.ndarray:
    """[H, W, 3] the first view; grey all over where the object was refused."""
    if not len(rgba_VHW4):
        return np.full((size, size, 3), 128, np.uint8)
    rgba = rgba_VHW4[0].astype(np.float32)
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


if __name__ == "__main__":
    main()
