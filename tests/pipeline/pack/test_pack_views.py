"""Fewer, smaller and otherwise encoded views, with everything that belongs to a view."""

import io

import numpy as np
import pytest
from PIL import Image

from fakes.synthetic_corpus import object_row, write_corpus
from pipeline import Corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.images import with_views
from pipeline.pack.stage import PackStage


@pytest.fixture
def row() -> dict:
    row = object_row(0, 6, views=9, size=32, num_gaussians=10)
    row["caption_views"], row["view_captions"] = np.array([0, 3, 4]), ["from 0", "from 3", "from 4"]
    return row


def image(row: dict, number: int) -> Image.Image:
    return Image.open(io.BytesIO(row["images"][number]["bytes"]))


def test_a_subset_of_views_keeps_cameras_embeddings_and_indices_together(row):
    packed = with_views(row, PackConfig(views=3))  # 0, 4, 8 of 0 .. 8
    for name in ("intrinsics", "world_to_camera", "image_embeddings", "view_weights"):
        np.testing.assert_array_equal(packed[name], np.asarray(row[name])[[0, 4, 8]])
    assert packed["images"] == [row["images"][i] for i in (0, 4, 8)]
    assert packed["heldout_views"].tolist() == [0]  # of 0, 3, 6
    assert packed["caption_views"].tolist() == [0, 1]
    assert packed["view_captions"] == ["from 0", "from 4"]


def test_resized_views_take_their_intrinsics_along(row):
    packed = with_views(row, PackConfig(image_size=16))
    assert (packed["width"], packed["height"]) == (16, 16)
    assert image(packed, 0).size == (16, 16) and image(packed, 0).mode == "RGBA"
    np.testing.assert_allclose(packed["intrinsics"], row["intrinsics"] / 2)
    whole, half = np.asarray(image(row, 0), float), np.asarray(image(packed, 0), float)
    np.testing.assert_allclose(half[..., 3], whole[..., 3].reshape(16, 2, 16, 2).mean((1, 3)), atol=1)
    inside = half[..., 3] == 255
    np.testing.assert_allclose(
        half[inside, :3], whole.reshape(16, 2, 16, 2, 4).mean((1, 3))[inside, :3], atol=1
    )  # colours at the edge are not darkened: see the next line
    edge = (half[..., 3] > 0) & ~inside
    assert half[edge, :3].mean() > 0.75 * half[inside, :3].mean()


@pytest.mark.parametrize(
    ("image_format", "pillow_format", "mode"),
    [("webp", "WEBP", "RGBA"), ("jpeg", "JPEG", "RGB"), ("png", "PNG", "RGBA")],
)
def test_formats(row, image_format, pillow_format, mode):
    packed = with_views(row, PackConfig(image_format=image_format))
    opened, original = image(packed, 4), image(row, 4)
    assert (opened.format, opened.mode, opened.size) == (pillow_format, mode, (32, 32))
    on_white = Image.alpha_composite(Image.new("RGBA", (32, 32), "white"), original).convert("RGB")
    shown = Image.alpha_composite(Image.new("RGBA", (32, 32), "white"), opened.convert("RGBA")).convert("RGB")
    assert np.abs(np.asarray(on_white, float) - np.asarray(shown, float)).mean() < 8


def test_they_are_packed(tmp_path):
    corpus = write_corpus(tmp_path, objects=3)
    PackStage(PackConfig(views=2, image_size=16, image_format="jpeg")).run(corpus)
    packed = next(iter(Corpus.open(tmp_path / "triplets").triplets("train")))
    assert [view.size for view in packed.views] == [(16, 16)] * 2
    assert packed.world_to_camera.shape == (2, 4, 4)
    assert packed.row["images"][0]["bytes"].startswith(b"\xff\xd8")
