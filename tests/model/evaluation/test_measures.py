import numpy as np
import pytest

from model.evaluation.retrieval import bootstrap_interval, hit_chances, retrieval
from model.evaluation.templates import TEMPLATES
from model.evaluation.zero_shot import class_average, class_vectors, top_k_hits
from tests.model.synthetic_triplets import unit


def test_hits_against_sorting(rng):
    queries, gallery = unit(rng.normal(size=(50, 8))), unit(rng.normal(size=(50, 8)))
    hits = hit_chances(queries, gallery, (1, 5, 10))
    for i in range(50):
        rank = list(np.argsort(-(gallery.astype(np.float64) @ queries[i]))).index(i)
        assert hits[:, i].tolist() == [float(rank < k) for k in (1, 5, 10)]


def test_collapsed_features_score_chance():
    same = unit(np.ones((20, 8)))
    np.testing.assert_allclose(hit_chances(unit(np.eye(20, 8) + 1), same, (1, 5)).mean(axis=1), [1 / 20, 5 / 20])
    labels = np.zeros(20, int)
    np.testing.assert_allclose(top_k_hits(same, labels, same[:4], (1, 3)).mean(axis=1), [1 / 4, 3 / 4])


def test_chunks_do_not_matter(rng):
    vectors = unit(rng.normal(size=(30, 4))), unit(rng.normal(size=(30, 4)))
    whole = hit_chances(*vectors, (1, 5))
    np.testing.assert_array_equal(hit_chances(*vectors, (1, 5), at_once=7), whole)


def test_directions(rng):
    texts = unit(rng.normal(size=(10, 16)))
    views = np.stack([texts, texts[::-1]], axis=1)  # the first view agrees, the second is of another object
    hits = {name: values[0].mean() for name, values in retrieval(texts, texts, views)}
    assert hits == {"text_to_3d": 1, "3d_to_text": 1, "image_to_3d": 0.5, "3d_to_image": 0.5}


def test_bootstrap_interval_covers_the_mean(rng):
    inside = 0
    for seed in range(40):
        low, high = bootstrap_interval((np.random.default_rng(seed).random(100) < 0.3).astype(float), 200, seed)
        inside += low <= 0.3 <= high
    assert inside >= 33


def test_class_vectors_average_unit_sentences():
    def encode(sentences):
        assert len(sentences) == 64 and all("chair" in sentence for sentence in sentences)
        return np.array([[3.0, 0.0]] * 32 + [[0.0, 1.0]] * 32)

    np.testing.assert_allclose(class_vectors(["chair"], encode), [[0.5**0.5, 0.5**0.5]])


def test_class_average_weighs_classes_alike():
    hits, labels = np.array([1.0, 1, 1, 0]), np.array([0, 0, 0, 1])
    assert class_average(hits, labels) == pytest.approx(0.5)


def test_templates():
    assert len(set(TEMPLATES)) == 64
    assert all(template.count("{}") == 1 for template in TEMPLATES)
    assert [template for template in TEMPLATES if not template.endswith(".")] == ["a black and white photo of a {}"]
