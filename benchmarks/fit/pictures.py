"""Truth, splat and difference of the best, the median and the worst ten fits of a benchmark, as one picture.

    python -m benchmarks.fit.pictures CORPUS WORK PICTURE.webp [--side 128]

WORK holds the fits of `benchmarks/fit`; those of its standard setting are shown. Each object is seen in the
held-out view whose PSNR is the median of its held-out views, cut to the object: from top to bottom the truth, the
splat, and four times their absolute difference, over white. Above stand the PSNR over all held-out views and over their
object pixels.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.fit.corpus import SETTINGS, STANDARD, finished, splat_path, views_of
from fit_gaussians.draw import draw
from fit_gaussians.views import read_views
from pipeline import Corpus
from pipeline.store.rows import Row, rows_from_table
from pipeline.values.splat import Gaussians

COLUMNS = 10
GAIN = 4
LABEL_HEIGHT = 14
TITLE_HEIGHT = 18
MARGIN = 6
"""Pixels of the view around the object."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit.pictures", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("work")
    parser.add_argument("picture", type=Path, help="its ending says the format: .png, .webp, .jpg")
    parser.add_argument("--side", type=int, default=128, help="pixels of one tile")
    arguments = parser.parse_args()
    work = Corpus(Path(arguments.work).resolve())
    rows = {row["uid"]: row for row in views_of(Corpus(arguments.corpus), SETTINGS[STANDARD].objects)}
    fits = {uid: figures for uid in rows if (figures := finished(work, STANDARD, uid))}
    sheet = Sheet(arguments.side)
    for title, uids in chosen(fits).items():
        tiles = [tile(rows[uid], read_splat(work, uid), arguments.side) for uid in uids]
        sheet.add(title, tiles, [f"{fits[uid]['psnr']:.1f} / {fits[uid]['psnr_object']:.1f} dB" for uid in uids])
    sheet.save(arguments.picture)


def chosen(fits: dict[str, dict]) -> dict[str, list[str]]:
    """The uids of the best, median and worst ten by PSNR, each from good to bad."""
    ranked = sorted(fits, key=lambda uid: -fits[uid]["psnr"])
    middle = max(len(ranked) - COLUMNS, 0) // 2
    return {
        f"best {COLUMNS} of {len(ranked)}": ranked[:COLUMNS],
        f"median {COLUMNS}": ranked[middle : middle + COLUMNS],
        f"worst {COLUMNS}": ranked[-COLUMNS:],
    }


def read_splat(work: Corpus, uid: str) -> Row:
    with work.parquet(splat_path(work, STANDARD, uid)) as file:
        return rows_from_table(file.read())[0]


def tile(row: Row, splat: Row, side: int) -> np.ndarray:
    """[3 side, side, 3] uint8: truth, splat, difference."""
    views = read_views(row, splat["fit_width"])[splat["heldout_views"].tolist()]
    truths = views.over(np.ones(3))
    drawn, _ = draw(
        Gaussians.from_row(splat),
        views.world_to_camera,
        views.intrinsics,
        views.width,
        views.height,
        mode=splat["rasterize_mode"],
        eps2d=splat["eps2d"],
        background=1.0,
    )
    drawn = drawn.clip(0, 1)
    errors = ((truths - drawn) ** 2).mean((1, 2, 3))
    index = int(np.argsort(errors)[len(errors) // 2])
    truth, picture = truths[index], drawn[index]
    cut = square_around(views.alphas[index] > 0)
    images = truth[cut], picture[cut], (GAIN * np.abs(truth - picture)).clip(0, 1)[cut]
    return np.concatenate(
        [
            np.asarray(Image.fromarray((image * 255 + 0.5).astype(np.uint8)).resize((side, side), Image.LANCZOS))
            for image in images
        ]
    )


def square_around(seen: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the smallest square of the image that holds what is seen, with a margin."""
    bounds = []
    for axis in (1, 0):
        places = np.flatnonzero(seen.any(axis))
        bounds.append((places[0] + places[-1] + 1, places[-1] + 1 - places[0]))
    side = min(max(extent for _, extent in bounds) + 2 * MARGIN, *seen.shape)
    starts = [
        int(np.clip((twice_center - side) // 2, 0, length - side))
        for (twice_center, _), length in zip(bounds, seen.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


class Sheet:
    """Blocks of tiles below each other, with a title above each block and a label above each tile."""

    def __init__(self, side: int):
        self._side = side
        self._blocks: list[Image.Image] = []

    def add(self, title: str, tiles: list[np.ndarray], labels: list[str]) -> None:
        side, header = self._side, TITLE_HEIGHT + LABEL_HEIGHT
        block = Image.new("RGB", (COLUMNS * side, header + 3 * side), "white")
        pen = ImageDraw.Draw(block)
        pen.text((4, 3), title, fill="black")
        for column, (pixels, label) in enumerate(zip(tiles, labels, strict=True)):
            pen.text((column * side + 4, TITLE_HEIGHT), label, fill="black")
            block.paste(Image.fromarray(pixels), (column * side, header))
        self._blocks.append(block)

    def save(self, path: Path) -> None:
        sheet = np.concatenate([np.asarray(block) for block in self._blocks])
        Image.fromarray(sheet).save(path, quality=80)


if __name__ == "__main__":
    main()
