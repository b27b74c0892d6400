import numpy as np
import pytest

from fakes.synthetic_corpus import object_row, write_rows
from pipeline import Corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.near_duplicates import PROJECTED_DIM, NearDuplicates
from pipeline.pack.stage import PackStage


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


def test_a_copy_is_left_out_and_counted_when_packing(tmp_path):
    rows = [object_row(number, 8, views=3, size=16, num_gaussians=10) for number in range(6)]
    noise = np.random.default_rng(0).normal(size=rows[1]["image_embeddings"].shape)
    rows[4]["image_embeddings"] = rows[1]["image_embeddings"] + 0.01 * noise
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, shard_size=2)
    assert PackStage(PackConfig()).run(corpus)["triplets"] == 6  # the gate is off by default
    figures = PackStage(PackConfig(max_similarity=0.99)).run(corpus)
    assert figures["triplets"] == 5 and figures["left_out_near_duplicate"] == 1
    assert [item.uid for item in corpus.triplets("train")] == [f"ball-{number:03d}" for number in (0, 1, 2, 3, 5)]
