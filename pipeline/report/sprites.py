"""Thumbnails of many objects in few files: atlases of strips, one strip per object."""

import io
from collections.abc import Iterator, Sequence

from PIL import Image

TILE = 128  # pixels
TILES = 3  # of a strip: rendered, splat, difference
COLUMNS, ROWS = 2, 8  # strips of an atlas: 3 MB once decoded, of which a browser holds a screenful at once
STRIPS = COLUMNS * ROWS


def strip_png(sheet: Image.Image) -> bytes:
    """The first line of a comparison sheet [lines * tile, 3 * tile] as a strip, lossless: about 20 kB."""
    tile = sheet.width // TILES
    line = sheet.crop((0, 0, sheet.width, tile)).resize((TILES * TILE, TILE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    line.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def atlases(strips: Sequence[bytes]) -> Iterator[bytes]:
    """WebP pictures of `STRIPS` strips each, row by row, all of one size; the last may be partly empty."""
    for start in range(0, len(strips), STRIPS):
        atlas = Image.new("RGBA", (COLUMNS * TILES * TILE, ROWS * TILE))
        for place, strip in enumerate(strips[start : start + STRIPS]):
            row, column = divmod(place, COLUMNS)
            atlas.paste(Image.open(io.BytesIO(strip)), (column * TILES * TILE, row * TILE))
        buffer = io.BytesIO()
        atlas.save(buffer, "WEBP", quality=80, alpha_quality=80, method=2)
        yield buffer.getvalue()
