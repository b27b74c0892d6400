import numpy as np
import pytest

from model.config import TrainConfig
from model.data.batches import training_batch
from model.data.split import load_split
from model.network.registry import load_model_config
from pipeline import Corpus
from tests.model.synthetic_triplets import shape_gaussians, triplet_row, write_split


def test_triplets_are_read_as_written(eight_shapes):
    triplets = load_split(eight_shapes, "train", 64)
    assert triplets.uids == [f"train-{i:04d}" for i in range(8)]
    assert triplets.labels["name"][3] == "shape 3" and triplets.dim == 32
    for i in range(8):
        row = triplet_row(i, "train", shape_gaussians(i, 600))
        np.testing.assert_array_equal(triplets.gaussians[i], shape_gaussians(i, 600))
        np.testing.assert_array_equal(triplets.images[i], row["image_embeddings"])
        np.testing.assert_array_equal(triplets.texts[i], row["text_embedding"])
        np.testing.assert_allclose(triplets.weights[i], row["view_weights"], rtol=1e-6)


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8])
def test_ranks_share_the_objects_evenly(eight_shapes, ranks):
    parts = [load_split(eight_shapes, "train", 64, part=(rank, ranks)).uids for rank in range(ranks)]
    assert sum(parts, []) == [f"train-{i:04d}" for i in range(8)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_missing_split_is_empty(eight_shapes):
    assert len(load_split(eight_shapes, "val", 64)) == 0


def test_nothing_temporary_is_left_whatever_ends_the_process(eight_shapes, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    triplets = load_split(eight_shapes, "train", 64)
    assert np.isfinite(triplets.gaussians[7]).all() and list(tmp_path.iterdir()) == []


def test_every_epoch_sees_every_object_once(tmp_path):
    corpus = Corpus(tmp_path)
    write_split(corpus, "train", [triplet_row(i, "train", shape_gaussians(i, 100)) for i in range(6)])
    triplets = load_split(corpus, "train", 16)
    model, config = load_model_config("tiny", groups=8, group_size=8), TrainConfig(voting_views=2)
    texts = {triplets.texts[i].tobytes(): i for i in range(6)}
    orders = []
    for epoch in range(3):
        batches = [training_batch(triplets, model, config, 3, 0, step) for step in (2 * epoch, 2 * epoch + 1)]
        orders.append([texts[text.numpy().tobytes()] for batch in batches for text in batch.texts])
        for batch in batches:
            assert batch.images.shape == (3, 2, 32) and batch.patches.gaussians.shape == (3, 8, 8, 14)
            cosines = (batch.images * batch.texts[:, None]).sum(-1)
            np.testing.assert_allclose(cosines, batch.weights, atol=1e-6)  # each view keeps its own weight
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len(set(map(tuple, orders))) > 1


def test_batches_depend_on_the_step_alone(eight_shapes):
    triplets = load_split(eight_shapes, "train", 64)
    model, config = load_model_config("tiny"), TrainConfig()
    first, again = (training_batch(triplets, model, config, 4, 0, 5) for _ in range(2))
    other = training_batch(triplets, model, config, 4, 0, 7)
    assert (first.patches.gaussians == again.patches.gaussians).all() and (first.images == again.images).all()
    assert not (first.patches.gaussians == other.patches.gaussians).all()
