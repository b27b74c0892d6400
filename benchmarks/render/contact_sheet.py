"""Objects of a corpus in every shading by every engine that knows it, on one picture: to be looked at.

    python -m benchmarks.render.contact_sheet KEPT CORPUS SHEET.webp [--shadings albedo diffuse studio] [--objects 20]

KEPT is the folder of `benchmarks.render`, whose pictures are taken where they are there. Each column is an object, seen
from the same camera; the rows are the shadings, the raster engine's above Blender's.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.render.agreement import COMPARED, REFERENCE_SAMPLES, raster_version
from benchmarks.render.views import assets_of, evenly, rendered
from pipeline import Corpus
from render.config import RenderConfig

COMPARED_OBJECTS = 100  # as in benchmarks.render
COLUMNS = 10
SIZE = 128  # of a picture on the sheet
VIEW = 0  # from above
GROUND = "#5b86b5"  # hardly a thing has this colour


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.render.contact_sheet", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("kept", type=Path)
    parser.add_argument("corpus")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--shadings", nargs="+", default=["albedo", "diffuse", "studio"])
    parser.add_argument("--objects", type=int, default=20)
    arguments = parser.parse_args()
    corpus = Corpus(arguments.corpus)
    assets = evenly(evenly(assets_of(corpus), COMPARED_OBJECTS), arguments.objects)
    strips = []
    for shading in arguments.shadings:
        for config, folder in sources(shading):
            results = rendered(corpus, assets, config, arguments.kept / folder)
            strips.append([over_ground(result.rgba) for result in results])
    blocks = []
    for first in range(0, len(assets), COLUMNS):
        for strip in strips:
            tiles = strip[first : first + COLUMNS]
            blank = [over_ground(np.zeros((VIEW + 1, 1, 1, 4), np.uint8))] * (min(COLUMNS, len(assets)) - len(tiles))
            blocks.append(np.concatenate(tiles + blank, axis=1))
    Image.fromarray(np.concatenate(blocks)).save(arguments.sheet, quality=80)


def sources(shading: str) -> list[tuple[RenderConfig, str]]:
    """The engines that know a shading, and the folder that `benchmarks.render` keeps their pictures in."""
    settings = {"shading": shading, **COMPARED}
    blender = RenderConfig(engine="blenderproc", samples=REFERENCE_SAMPLES, **settings), shading
    if shading == "studio":
        return [blender]
    return [(RenderConfig(engine="raster", **settings), f"{raster_version()}-{shading}"), blender]


def over_ground(rgba_VHW4: np.ndarray) -> np.ndarray:
    """[SIZE, SIZE, 3] one view; grey all over where the object was refused."""
    if not len(rgba_VHW4):
        return np.full((SIZE, SIZE, 3), 128, np.uint8)
    image = Image.new("RGBA", rgba_VHW4.shape[2:0:-1], GROUND)
    image.alpha_composite(Image.fromarray(rgba_VHW4[VIEW]))
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
