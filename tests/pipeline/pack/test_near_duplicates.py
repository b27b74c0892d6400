import numpy as np
import pytest

from pipeline.pack.config import PackConfig
from pipeline.pack.near_duplicates import PROJECTED_DIM, NearDuplicates
from pipeline.pack.stage import PackStage
from tests.pipeline.synthetic_corpus import write_corpus


def rows_of(vectors: np.ndarray) -> list[dict]:
    """Rows whose views scatter around the given vectors, and average to them exactly."""
    noise = np.random.default_rng(0).normal(size=vectors.shape) * 0.1
    return [{"image_embeddings": np.stack([v + n, v - n])} for v, n in zip(vectors, noise, strict=True)]


@pytest.mark.parametrize("dim", [16, 2 * PROJECTED_DIM])
def test_copies_are_stopped_and_their_originals_pass(dim):
    random = np.random.default_rng(1)
    originals = random.normal(size=(300, dim))
    copies = originals[:40] + 0.02 * random.normal(size=(40, dim))
    gate = NearDuplicates(0.99)
    assert all(gate(rows_of(originals[:100])))
    assert gate([]) == []
    assert all(gate(rows_of(originals[100:])))
    assert not any(gate(rows_of(copies)))


def test_copies_inside_one_shard_are_found_too():
    first, second, third = np.eye(3)
    verdicts = NearDuplicates(0.95)(rows_of(np.stack([first, second, first + 0.05, third, second, first])))
    assert verdicts == [True, True, False, True, False, False]


def test_what_was_stopped_stops_nothing_itself():
    """a is near b, and b near c, but a is not near c: only b is left out."""
    angles = np.radians([0, 10, 20])
    verdicts = NearDuplicates(np.cos(np.radians(15)))(rows_of(np.stack([np.cos(angles), np.sin(angles)], 1)))
    assert verdicts == [True, False, True]


def test_they_are_counted_when_packing(tmp_path):
    corpus = write_corpus(tmp_path, objects=6)
    figures = PackStage(PackConfig(max_similarity=-0.999)).run(corpus)  # whatever is not opposite looks alike
    assert figures["triplets"] == 1 and figures["left_out_near_duplicate"] == 5
