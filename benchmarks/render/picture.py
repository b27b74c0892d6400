"""The README's picture: objects of a corpus as rendered, as splatted and where the two differ.

    python -m benchmarks.render.picture corpora/demo

Takes twelve objects at even steps from the best PSNR to the worst. Writes docs/images/demo.png.
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.record import ROOT
from pipeline import Corpus
from pipeline.reading.objects import CorpusObject
from pipeline.report.pictures import comparison_sheet

PICTURE = ROOT / "docs" / "images" / "demo.png"
COLUMNS, LINES = 3, 4
MARGIN, CAPTION = 24, 28  # pixels
GROUND = "#dde4ec"  # neither white nor black things vanish on it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    objects = list_objects(Corpus(parser.parse_args().corpus))
    steps = np.linspace(0, len(objects) - 1, COLUMNS * LINES).round().astype(int)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture([objects[i] for i in dict.fromkeys(steps)]).save(PICTURE, optimize=True)


def list_objects(corpus: Corpus) -> list[CorpusObject]:
    """All objects with a splat, best PSNR first."""
    rows = [
        row for shard in corpus.shards("gaussians") for row in corpus.read_rows("gaussians", shard, ["uid", "psnr"])
    ]
    rows.sort(key=lambda row: -row["psnr"])
    return [corpus.object(row["uid"]) for row in rows]


def picture(objects: list[CorpusObject]) -> Image.Image:
    """Objects in lines of three, each a triple of pictures with its name and PSNR below."""
    triples = [triple(shown) for shown in objects]
    width, height = triples[0].size
    size = (COLUMNS * (width + MARGIN) + MARGIN, -(-len(triples) // COLUMNS) * (height + MARGIN) + MARGIN)
    sheet = Image.new("RGB", size, GROUND)
    for i, image in enumerate(triples):
        sheet.paste(image, (MARGIN + i % COLUMNS * (width + MARGIN), MARGIN + i // COLUMNS * (height + MARGIN)))
    return sheet


def triple(shown: CorpusObject) -> Image.Image:
    """The object's best recognised held-out view, splat and difference."""
    sheet = comparison_sheet(shown.row)
    tile = sheet.width // 3
    image = Image.new("RGB", (sheet.width, tile + CAPTION), GROUND)
    first_line = sheet.crop((0, 0, sheet.width, tile))
    image.paste(first_line, (0, 0), first_line)
    text = f"{shown.name}, {shown.row['psnr']:.1f} dB"
    ImageDraw.Draw(image).text((4, tile + 4), text, fill="#333333", font=ImageFont.load_default(18))
    return image


if __name__ == "__main__":
    main()
