from importlib.util import find_spec

import numpy as np
import pyarrow.parquet as pq
import pytest
import trimesh

from model import encode, search
from model.config import TrainConfig
from model.data.similarity import rotate
from model.splat_encoder import load_encoder
from model.training.train import train
from pipeline import Corpus
from pipeline.base.errors import AssetError, ConfigError
from pipeline.store.schema import GAUSSIANS
from pipeline.values.frames import Y_UP_TO_Z_UP
from pipeline.values.ply import write_ply
from pipeline.values.splat import Gaussians
from tests.model.synthetic_triplets import shape_gaussians, triplet_row, unit, write_split


@pytest.fixture
def run(tmp_path, nano_model) -> str:
    """Folder of a model after two steps."""
    corpus = Corpus(tmp_path / "trained")
    write_split(corpus, "train", [triplet_row(i, "train", shape_gaussians(i, 500)) for i in range(4)])
    train(corpus, TrainConfig(model=nano_model, steps=2, batch_size=4, tensorboard=False, threads=1))
    return corpus.path("runs", "default")


def splat_of(gaussians: np.ndarray) -> Gaussians:
    return Gaussians(gaussians[:, :3], gaussians[:, 10:], gaussians[:, 7:10], gaussians[:, 6], gaussians[:, 3:6])


def fitted_corpus(path, shards: int = 2) -> Corpus:
    """A corpus that holds a gaussians table alone."""
    corpus = Corpus(path)
    for shard in range(shards):
        rows = []
        for i in (2 * shard, 2 * shard + 1):
            row = triplet_row(i, "train", shape_gaussians(i, 500))
            rows.append({name: row[name] for name in GAUSSIANS.names})
        with corpus.table_writer(corpus.shard_path("gaussians", shard), GAUSSIANS) as writer:
            writer.write(rows)
    return corpus


def test_a_corpus_becomes_a_table_of_unit_vectors(run, tmp_path):
    corpus = fitted_corpus(tmp_path / "corpus")
    output = tmp_path / "vectors.parquet"
    assert encode.main(encode.Arguments(corpus.uri, run=run, output=str(output))) == 4
    table = pq.read_table(output)
    assert table["uid"].to_pylist() == [f"train-{i:04d}" for i in range(4)]
    assert set(table["encoder"].to_pylist()) == {"test:none@0"}
    vectors = np.array(table["embedding"].to_pylist())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    alone = load_encoder(run).encode([shape_gaussians(2, 500)])
    np.testing.assert_allclose(vectors[2], alone[0], atol=1e-5)


def test_a_splat_file_is_the_splat(run, tmp_path):
    gaussians = shape_gaussians(5, 500)
    write_ply(tmp_path / "z.ply", splat_of(gaussians), "antialiased", 0.1)
    write_ply(tmp_path / "y.ply", splat_of(rotate(gaussians, Y_UP_TO_Z_UP.T)), "antialiased", 0.1)
    ((uid, read),) = encode.input_splats(str(tmp_path / "z.ply"))
    assert uid == "z"
    np.testing.assert_allclose(read, gaussians, atol=1e-5)
    ((_, turned),) = encode.input_splats(str(tmp_path / "y.ply"), "y")
    np.testing.assert_allclose(turned, gaussians, atol=1e-5)


def test_bad_inputs_are_refused(run, tmp_path):
    encoder = load_encoder(run)
    with pytest.raises(AssetError, match="has 3 Gaussians"):
        encoder.encode([shape_gaussians(0, 500), shape_gaussians(0, 3)])
    broken = shape_gaussians(0, 500)
    broken[3, 3] = np.nan
    with pytest.raises(AssetError, match="NaN"):
        encoder.encode([broken])
    with pytest.raises(ConfigError, match="holds no Gaussians"):
        list(encode.input_splats(str(tmp_path / "nothing")))
    with pytest.raises(ConfigError, match="no file"):
        list(encode.input_splats(str(tmp_path / "nothing.glb")))
    with pytest.raises(ConfigError, match="no trained model"):
        load_encoder(tmp_path)


def test_search_ranks_by_the_cosine_with_the_sentence(run, tmp_path, monkeypatch):
    """The sentence's vector is that of one object, as a perfect text tower would give."""
    corpus = fitted_corpus(tmp_path / "corpus")
    target = load_encoder(run).encode([shape_gaussians(3, 500)])[0]

    class Tower:
        def encode_texts(self, texts):
            assert texts == ["a box"]
            return unit(target[None])

    monkeypatch.setattr("caption.encoders.load_encoder_by_id", lambda _: Tower())
    found = search.search(search.Arguments(corpus.uri, "a box", run=run, top=2))
    assert len(found) == 2 and found[0] == ("train-0003", pytest.approx(1, abs=1e-4))
    stored = tmp_path / "vectors.parquet"
    encode.main(encode.Arguments(corpus.uri, run=run, output=str(stored)))
    again = search.search(search.Arguments(corpus.uri, "a box", run=run, top=2, embeddings=str(stored)))
    assert [uid for uid, _ in again] == [uid for uid, _ in found]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("bpy") is None, reason="needs Blender")
def test_a_mesh_goes_through_the_pipeline(run, tmp_path):
    """Rendered by Blender and fitted, in processes of their own."""
    preset = tmp_path / "small.yaml"
    preset.write_text("{render: {views: 8, resolution: 96, samples: 4}, fit: {num_gaussians: 2000, iterations: 30}}")
    mesh = trimesh.creation.box((1, 0.5, 0.3))
    mesh.visual.face_colors = [200, 40, 40, 255]
    mesh.export(tmp_path / "brick.glb")
    ((uid, gaussians),) = encode.input_splats(str(tmp_path / "brick.glb"), config=str(preset))
    assert uid == "brick" and gaussians.shape[1] == 14
    extent = np.sort(np.ptp(np.quantile(gaussians[:, :3], (0.01, 0.99), axis=0), axis=0))
    np.testing.assert_allclose(extent / extent[-1], [0.3, 0.5, 1], atol=0.08)
    (tmp_path / "broken.glb").write_bytes(b"no mesh")
    with pytest.raises(AssetError, match="broken.glb fails in assets"):
        list(encode.input_splats(str(tmp_path / "broken.glb")))
