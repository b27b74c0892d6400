import numpy as np
import pytest
import torch

from pipeline.corpus import Corpus
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
