"""`from pipeline import Corpus`: what users of a finished corpus call."""

import gzip
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from fakes.synthetic_corpus import object_row, write_corpus
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage

EXPECTED = object_row(2, 6, views=6, size=32, num_gaussians=60)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    corpus = write_corpus(tmp_path_factory.mktemp("reading") / "corpus")
    PackStage(PackConfig()).run(corpus)
    return Corpus.open(corpus.uri)


@pytest.fixture(scope="module")
def copy(corpus, tmp_path_factory) -> Corpus:
    """Only the triplets folder, as somebody downloads it."""
    folder = tmp_path_factory.mktemp("copy") / "downloaded"
    shutil.copytree(corpus.path("triplets"), folder)
    return Corpus.open(folder)


def test_open_refuses_what_is_no_corpus(tmp_path):
    with pytest.raises(ConfigError, match="is not a corpus"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize("where", ["corpus", "copy"])
def test_an_object_by_its_uid(where, request):
    corpus = request.getfixturevalue(where)
    item = corpus.object("ball-002")
    assert item.caption == EXPECTED["caption"] and item.name == "Ball 2"
    assert len(item.views) == 6 and item.views[0].mode == "RGBA"
    np.testing.assert_allclose(item.splat["means"], EXPECTED["means"], atol=1e-6)
    assert item.gaussians.shape == (60, 14)
    np.testing.assert_allclose(item.gaussians[:, 3:6], EXPECTED["colors"], atol=1e-6)
    assert item.world_to_camera.shape == (6, 4, 4) and item.intrinsics.shape == (6, 4)
    with pytest.raises(KeyError, match="no object 'nobody'"):
        corpus.object("nobody")


def test_an_object_that_did_not_get_far(tmp_path):
    corpus = write_corpus(tmp_path, objects=2)
    shutil.rmtree(tmp_path / "captions")
    item = corpus.object("ball-001")
    assert item.caption == "" and item.name == "Ball 1"


@pytest.mark.parametrize("where", ["corpus", "copy"])
def test_triplets_of_a_split(where, request):
    corpus = request.getfixturevalue(where)
    triplets = corpus.triplets("train")
    assert len(triplets) == 4
    assert [item.uid for item in triplets] == [f"ball-{i:03d}" for i in range(4)]
    assert next(triplets.read(["caption"])).row.keys() == {"uid", "caption"}
    assert triplets.table(["psnr"])["psnr"].to_pylist() == [30, 31, 32, 33]
    with pytest.raises(ConfigError, match="split test"):
        corpus.triplets("test")


def test_points_go_back_to_the_assets_own_frame(corpus):
    item = corpus.object("ball-002")
    in_asset = np.array([[0.3, -0.2, 0.9], [1.0, 2.0, 3.0]])
    z_up = in_asset[:, [0, 2, 1]] * [1, -1, 1]  # y up to z up
    world = (z_up - EXPECTED["center"]) * EXPECTED["scale"]
    np.testing.assert_allclose(item.to_asset_frame(world), in_asset, atol=1e-12)


def test_export_as_ply(corpus, tmp_path):
    ply = pytest.importorskip("pipeline.values.ply")
    path = corpus.object("ball-002").export("ply", tmp_path / "ball.ply")
    read = ply.read_ply(path)
    np.testing.assert_allclose(read.splat.means, EXPECTED["means"], atol=1e-6)
    assert read.rasterize_mode == "antialiased"


def test_export_as_spz_keeps_what_eight_bits_keep(corpus, tmp_path):
    path = corpus.object("ball-002").export("spz", tmp_path / "ball.spz")
    data = gzip.decompress(path.read_bytes())
    magic, version, count, degree, bits, flags, reserved = struct.unpack("<4sIIBBBB", data[:16])
    assert (magic, version, count, degree, flags, reserved) == (b"NGSP", 2, 60, 0, 1, 0)
    body = np.frombuffer(data[16:], np.uint8)
    assert len(body) == 60 * (9 + 1 + 3 + 3 + 3)
    positions = body[: 60 * 9].reshape(60, 3, 3).astype(np.int64) @ [1, 256, 65536]
    positions = np.where(positions >= 1 << 23, positions - (1 << 24), positions) / (1 << bits)
    np.testing.assert_allclose(positions, EXPECTED["means"], atol=2.0**-bits)
    alphas, colors, scales, rotations = np.split(body[60 * 9 :], np.cumsum([60, 180, 180]))
    np.testing.assert_allclose(alphas / 255, EXPECTED["opacities"], atol=1 / 255)
    sh = (colors.reshape(60, 3) / 255 - 0.5) / 0.15
    np.testing.assert_allclose(0.5 + 0.28209479 * sh, EXPECTED["colors"], atol=0.005)
    np.testing.assert_allclose(np.exp(scales.reshape(60, 3) / 16 - 10), EXPECTED["scales"], rtol=1 / 30)
    np.testing.assert_allclose(rotations / 127.5 - 1, 0, atol=1 / 127)  # the identity has x = y = z = 0


def test_export_refuses_other_formats(corpus, tmp_path):
    with pytest.raises(ValueError, match="ply and spz"):
        corpus.object("ball-002").export("glb", tmp_path / "x")


@pytest.mark.parametrize("where", ["corpus", "copy"])
def test_search_by_words_uses_the_encoder_of_the_corpus(where, request, monkeypatch):
    """An encoder that knows one sentence: the mean view of ball-003."""
    encoders = pytest.importorskip("caption.encoders")
    views = object_row(3, 6, views=6, size=32, num_gaussians=60)["image_embeddings"]
    asked = []

    class Encoder:
        def encode_texts(self, texts):
            asked.extend(texts)
            mean = views.mean(axis=0)
            return mean[None] / np.linalg.norm(mean)

    monkeypatch.setattr(encoders, "load_encoder_by_id", {"conse:test": Encoder()}.__getitem__)
    found = request.getfixturevalue(where).search("a red ball", count=3)
    assert asked == ["a red ball"]
    assert len(found) == 3 and found[0].uid == "ball-003"
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    assert found[0].similarity > found[1].similarity >= found[2].similarity


def test_search_in_a_corpus_without_embeddings(tmp_path):
    corpus = write_corpus(tmp_path, objects=2)
    shutil.rmtree(tmp_path / "embeddings")
    with pytest.raises(ConfigError, match="run --stage embed"):
        corpus.search("anything")


def test_importing_the_package_alone_stays_light():
    light = "import sys, pipeline; assert not {'pyarrow', 'torch'} & set(sys.modules)"
    script = f"{light}; from pipeline import Corpus; Corpus.open; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
