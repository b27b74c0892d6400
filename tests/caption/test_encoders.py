import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from caption.config import EncoderConfig
from caption.encoders import load_encoder, load_encoder_by_id
from caption.encoders.batching import prepared_batches
from pipeline.base.errors import ConfigError
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.values.pictures import over_background


@pytest.fixture(scope="module")
def conse():
    return load_encoder(EncoderConfig(encoder="conse"))


@pytest.fixture(scope="module")
def clip(tiny_clip):
    model, pretrained = tiny_clip
    return load_encoder(EncoderConfig(model=model, pretrained=pretrained), batch_size=3)


def pictures(count: int, mode: str = "RGBA") -> list[Image.Image]:
    generator = np.random.default_rng(0)
    channels = len(mode)
    return [Image.fromarray(generator.integers(0, 256, (40, 50, channels), np.uint8), mode) for _ in range(count)]


@pytest.mark.parametrize("name", ["conse", "clip"])
def test_vectors_are_unit_and_the_same_alone_or_in_a_batch(name, request):
    encoder = request.getfixturevalue(name)
    images, texts = pictures(7), ["a chair", "a lamp", "a " + "very " * 200 + "long text"]
    together = encoder.encode_images(images)
    assert together.shape == (7, encoder.dim) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together[4], encoder.encode_images([images[4]])[0], atol=1e-5)
    vectors = encoder.encode_texts(texts)
    assert vectors.shape == (3, encoder.dim) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(together[0], together[1], atol=1e-3)
    assert encoder.encode_images([]).shape == (0, encoder.dim) == encoder.encode_texts([]).shape


@pytest.mark.parametrize("name", ["conse", "clip"])
def test_an_id_suffices_to_load_the_encoder_again(name, request):
    encoder = request.getfixturevalue(name)
    again = load_encoder_by_id(encoder.id)
    assert again.id == encoder.id
    assert np.array_equal(again.encode_texts(["a chair"]), encoder.encode_texts(["a chair"]))


def test_other_weights_under_the_same_name_are_refused(clip):
    details, _, _ = clip.id.rpartition("@")
    with pytest.raises(ConfigError, match="run --stage embed --force"):
        load_encoder_by_id(f"{details}@0123456789ab")


def test_the_id_follows_the_weights(tiny_clip, clip, tmp_path):
    model, pretrained = tiny_clip
    weights = torch.load(pretrained, weights_only=True)
    weights["logit_scale"] += 1e-6
    torch.save(weights, tmp_path / "other.pt")
    other = load_encoder(EncoderConfig(model=model, pretrained=str(tmp_path / "other.pt")))
    assert other.id.rpartition("@")[2] != clip.id.rpartition("@")[2]


def test_low_precision_keeps_the_id_and_nearly_the_vectors(tiny_clip, clip):
    model, pretrained = tiny_clip
    low = load_encoder(EncoderConfig(model=model, pretrained=pretrained, dtype="bfloat16"))
    images = pictures(2)
    assert low.id == clip.id
    assert low.encode_images(images).dtype == np.float32
    assert (low.encode_images(images) * clip.encode_images(images)).sum(1).min() > 0.999
    assert (low.encode_texts(["a chair"]) * clip.encode_texts(["a chair"])).sum() > 0.999


@pytest.mark.parametrize(
    "section",
    [
        {"model": "nosuch", "pretrained": "x"},
        {"model": "tiny-test", "pretrained": ""},  # would be random weights
        {"model": "tiny-test", "pretrained": "nosuch.pt"},
        {"model": "tiny-test", "pretrained": "/a:b.pt"},
    ],
)
def test_an_unknown_model_or_random_weights_are_refused(section, tiny_clip):
    with pytest.raises(ConfigError):
        load_encoder(EncoderConfig(**section))


def test_a_pickle_that_runs_code_is_refused(tiny_clip, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"visual.proj": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(ConfigError):
        load_encoder(EncoderConfig(model=tiny_clip[0], pretrained=str(tmp_path / "hostile.pt")))
    assert not (tmp_path / "ran").exists()


def test_transparent_pixels_become_the_background():
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    assert [over_background(image).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 0, 0)]


def test_batches_keep_the_order_and_pass_errors_on():
    images = [Image.new("RGB", (1, 1), (i, 0, 0)) for i in range(7)]
    batches = list(prepared_batches(images, lambda image: torch.tensor(image.getpixel((0, 0))[0]), 3, threads=2))
    assert [batch.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    with pytest.raises(ZeroDivisionError):
        list(prepared_batches(images, lambda image: 1 / 0, 3, threads=2))


def test_the_published_models_of_the_guide_are_known_to_open_clip():
    prepare_torchvision()
    import open_clip

    guide = (Path(__file__).parents[2] / "docs" / "captioning.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \| (\d+) \|", guide, re.MULTILINE)
    assert {model for model, _, _ in rows} >= {"EVA02-E-14-plus", "EVA02-B-16", "ViT-B-32", "ViT-B-16-SigLIP"}
    for model, pretrained, dim in rows:
        assert pretrained in open_clip.list_pretrained_tags_by_model(model), model
        assert open_clip.get_model_config(model)["embed_dim"] == int(dim), model
    default = EncoderConfig()
    assert (default.model, default.pretrained) in {(model, pretrained) for model, pretrained, _ in rows}


def traffic_light() -> Image.Image:
    image = Image.new("RGBA", (224, 224), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((80, 10, 144, 190), fill=(25, 25, 25, 255))
    draw.rectangle((106, 190, 118, 224), fill=(60, 60, 60, 255))
    for y, color in zip((15, 73, 131), ((255, 40, 30), (255, 190, 0), (0, 220, 80)), strict=True):
        draw.ellipse((86, y, 138, y + 52), fill=(*color, 255))
    return image


def crossword() -> Image.Image:
    image = Image.new("RGBA", (224, 224), (255, 255, 255, 255))
    draw = ImageDraw.Draw(image)
    generator = np.random.default_rng(1)
    for row, column in np.ndindex(12, 12):
        x, y = 10 + column * 17, 10 + row * 17
        black = generator.random() < 0.25
        draw.rectangle((x, y, x + 17, y + 17), fill=(0, 0, 0) if black else None, outline=(0, 0, 0))
        if not black:
            draw.text((x + 5, y + 3), chr(65 + int(generator.integers(26))), fill=(0, 0, 0))
    return image


def analog_clock() -> Image.Image:
    image = Image.new("RGBA", (224, 224), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((12, 12, 212, 212), fill=(250, 250, 245, 255), outline=(20, 20, 20, 255), width=10)
    for hour in range(12):
        angle = np.pi * hour / 6
        x, y = 112 + 78 * np.sin(angle), 112 - 78 * np.cos(angle)
        draw.text((x - 8, y - 10), str(hour or 12), fill=(0, 0, 0, 255), font_size=20)
    draw.line((112, 112, 112, 45), fill=(0, 0, 0, 255), width=5)
    draw.line((112, 112, 158, 130), fill=(0, 0, 0, 255), width=7)
    return image


def test_conse_finds_the_text_of_a_drawing(conse):
    drawings = {
        "traffic lights on a pole": traffic_light(),
        "a crossword puzzle": crossword(),
        "a wall clock": analog_clock(),
    }
    others = ["a sofa", "a red apple", "a dog", "a bicycle", "a bed", "a kitchen sink", "a potted plant"]
    images = conse.encode_images(list(drawings.values()))
    texts = conse.encode_texts([*drawings, *others])
    assert (images @ texts.T).argmax(1).tolist() == [0, 1, 2]
