import json

import numpy as np
import pytest
import torch

from pipeline import Corpus
from tests.model.synthetic_triplets import shape_gaussians, triplet_row, write_split


@pytest.fixture(autouse=True)
def one_thread():
    """Timings and sums do not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def eight_shapes(tmp_path_factory) -> Corpus:
    """A corpus of 8 shapes to train on and 3 held out; its val split is empty."""
    corpus = Corpus(tmp_path_factory.mktemp("eight_shapes"))
    write_split(corpus, "train", [triplet_row(i, "train", shape_gaussians(i, 600)) for i in range(8)])
    write_split(corpus, "heldout", [triplet_row(i, "heldout", shape_gaussians(i, 700)) for i in range(3)])
    return corpus


@pytest.fixture
def nano_model(tmp_path) -> str:
    """File of a model that trains in milliseconds."""
    values = {
        "timm_model": "eva02_tiny_patch14_224",
        "timm_overrides": {"embed_dim": 48, "depth": 2, "num_heads": 2},
        "num_gaussians": 400,
        "groups": 16,
        "group_size": 16,
        "point_channels": [16, 32, 64, 64],
        "refinement_channels": [16, 16, 32],
    }
    file = tmp_path / "nano.json"
    file.write_text(json.dumps(values))
    return str(file)
