"""One way to open a view: every reader takes the same formats, and refuses others with the same words."""

import io

import numpy as np
import pytest
from PIL import Image

from caption.pictures.subject import Subject
from fakes.synthetic_corpus import object_row
from fit_gaussians.views import read_views
from pipeline.base.errors import AssetError
from pipeline.pack.config import PackConfig
from pipeline.pack.images import with_views
from pipeline.reading.objects import CorpusObject
from pipeline.store.rows import Row
from pipeline.values.pictures import VIEW_FORMATS, decode_view, open_view, over_background

SIZE = 16


def encoded(format: str) -> bytes:
    """A square of transparent orange; opaque where the format has no alpha."""
    image = Image.new("RGBA" if format in ("WEBP", "PNG") else "RGB", (SIZE, SIZE), (200, 100, 0, 128)[:4])
    buffer = io.BytesIO()
    image.save(buffer, format, **({"lossless": True} if format == "WEBP" else {}))
    return buffer.getvalue()


def row_of(data: bytes) -> Row:
    row = object_row(0, 1, views=2, size=SIZE, num_gaussians=10)
    return row | {"images": [{"bytes": data, "path": None}] * 2}


READERS = {
    "reading": lambda row: CorpusObject(row).views,
    "caption": lambda row: [view.load() for view in Subject.from_row(row).open_views()],
    "fit": lambda row: read_views(row, 0),
    "pack": lambda row: with_views(row, PackConfig(image_format="png")),
    "report": lambda row: [decode_view(row["images"][0]["bytes"], (SIZE, SIZE), "object ball-000, view 0")],
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("format", VIEW_FORMATS)
def test_every_reader_takes_what_views_are_packed_as(reader, format):
    READERS[reader](row_of(encoded(format)))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", [encoded("GIF"), b"", b"no picture"], ids=["gif", "nothing", "text"])
def test_every_reader_refuses_anything_else_and_names_object_view_and_cure(reader, data):
    with pytest.raises(AssetError, match=r"object ball-000, view 0 does not decode.*render the object again"):
        READERS[reader](row_of(data))


@pytest.mark.parametrize(
    "reader", sorted(READERS.keys() - {"caption"})
)  # which opens views, and decodes those that it uses
def test_a_view_cut_short_is_named_too(reader):
    with pytest.raises(AssetError, match=r"object ball-000, view 0 does not decode.*render the object again"):
        READERS[reader](row_of(encoded("PNG")[:60]))


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(AssetError, match=r"view 3 is \(16, 16\) pixels, the row says \(8, 16\)"):
        open_view(encoded("WEBP"), (8, 16), "view 3")


def test_alpha_stays_straight_and_a_jpeg_is_opaque():
    assert decode_view(encoded("WEBP"), None, "").getpixel((0, 0)) == (200, 100, 0, 128)
    assert decode_view(encoded("JPEG"), None, "").getpixel((0, 0))[3] == 255


def test_models_see_white_behind_the_object():
    seen = np.asarray(over_background(decode_view(encoded("PNG"), None, "")))
    assert np.abs(seen[0, 0].astype(int) - (227, 177, 127)).max() <= 1
