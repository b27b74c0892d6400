"""Two ranks as Ray Train starts them: real processes, gloo."""

import json

import pytest
import torch

from model.config import TrainConfig
from model.network.pretrained import from_pretrained
from model.training.run_record import read_metrics
from model.training.train import train
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from tests.model.synthetic_triplets import shape_gaussians, triplet_row, write_split


@pytest.mark.slow
def test_two_ranks_train_one_model_and_stop_together(ray_cluster, tmp_path, nano_model):
    corpus = Corpus(tmp_path / "corpus")
    write_split(corpus, "train", [triplet_row(i, "train", shape_gaussians(i % 8, 500)) for i in range(9)])
    config = TrainConfig(
        model=nano_model, ranks=2, batch_size=8, steps=4, checkpoint_every=2, tensorboard=False, threads=1
    )
    figures = train(corpus, config)
    assert figures["steps"] == 4 and json.loads(json.dumps(figures)) == figures
    model, encoder = from_pretrained(corpus.path("runs", "default"))
    assert encoder == "test:none@0" and all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert read_metrics(corpus, "default")[-1]["step"] == 4

    # an object that only the second rank reads: both ranks end, and the message comes through
    rows = [triplet_row(i, "train", shape_gaussians(i % 8, 500)) for i in range(9)]
    rows[8] = triplet_row(8, "train", shape_gaussians(0, 10))
    write_split(corpus, "train", rows)
    with pytest.raises(ConfigError, match="train-0008 has 10 Gaussians"):
        train(corpus, config)
