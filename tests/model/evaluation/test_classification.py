import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest

from model.evaluation.classification import class_numbers, few_shot_figures, linear_probe_figures, zero_shot_figures
from model.evaluation.evaluation_table import markdown
from model.evaluation.few_shot import few_shot_accuracies, linear_probe_hits
from model.evaluation.label_sets import classes_of, label_set
from pipeline.base.errors import ConfigError
from tests.model.synthetic_triplets import unit

CLASSES = ["chair", "dining table", "lamp", "bed"]


def clustered(rng, per_class: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Features around one direction per class."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class)
    centers = unit(np.random.default_rng(7).normal(size=(len(CLASSES), 16)))
    return unit(centers[labels] + spread * rng.normal(size=(len(labels), 16))), labels


def split_of(labels) -> SimpleNamespace:
    return SimpleNamespace(labels={"category": [CLASSES[i] for i in labels]})


def encode(sentences):
    """A text tower that reads the class name alone."""
    centers = unit(np.random.default_rng(7).normal(size=(len(CLASSES), 16)))
    return np.stack([centers[next(i for i, name in enumerate(CLASSES) if name in text)] for text in sentences])


def test_zero_shot_finds_the_class(rng):
    features, labels = clustered(rng, 5, 0.01)
    figures = zero_shot_figures(CLASSES, "category", {"val": split_of(labels)}, {"val": features}, encode)
    assert figures["zero_shot_val_top1"] == 1 and figures["zero_shot_val_top1_chance"] == 0.25
    assert figures["zero_shot_val_class_average_top1"] == 1
    wrong = zero_shot_figures(CLASSES, "category", {"val": split_of(np.roll(labels, 5))}, {"val": features}, encode)
    assert wrong["zero_shot_val_top1"] == 0


def test_few_shot_between_chance_and_perfection(rng):
    features, labels = clustered(rng, 12, 0.05)
    assert few_shot_accuracies(features, labels, ways=3, shots=2).mean() > 0.99
    noise = unit(rng.normal(size=features.shape))
    assert few_shot_accuracies(noise, labels, ways=4, shots=2).mean() == pytest.approx(0.25, abs=0.06)
    assert len(few_shot_accuracies(features, labels, ways=5, shots=2)) == 0
    assert len(few_shot_accuracies(features, labels, ways=3, shots=12)) == 0
    figures = few_shot_figures(((3, 2), (9, 1)), "category", {"val": split_of(labels)}, {"val": features})
    assert set(figures) == {f"few_shot_val_3way_2shot{suffix}" for suffix in ("", "_chance", "_deviation")}
    assert "few_shot_val_3way_2shot" in markdown("run", "encoder", figures)


def test_linear_probe_learns_and_does_not_from_noise(rng):
    features, labels = clustered(rng, 20, 0.1)
    tested, answers = clustered(rng, 10, 0.1)
    assert linear_probe_hits(features, labels, tested, answers).mean() > 0.95
    noise = unit(rng.normal(size=features.shape))
    assert linear_probe_hits(noise, labels, tested, answers).mean() < 0.6
    splits = {"train": split_of(labels), "heldout": split_of(answers)}
    figures = linear_probe_figures("category", splits, {"train": features, "heldout": tested})
    assert figures["linear_probe_heldout_top1"] > 0.95 and figures["linear_probe_heldout_top1_chance"] == 0.25
    assert linear_probe_figures("category", {"heldout": splits["heldout"]}, {"heldout": tested}) == {}


def test_labels_meet_classes_whatever_their_spelling():
    known, numbers = class_numbers(["night stand", "tv stand"], "val", ["Night_Stand", "", "sofa", "TV-stand"])
    assert known.tolist() == [0, 3] and numbers.tolist() == [0, 1]
    assert classes_of(["sofa", "Sofa", "", "bed", "TV_stand", "tv stand"]) == ["Sofa", "TV_stand", "bed"]


def test_label_sets(tmp_path):
    assert len(label_set("modelnet40")) == 40 and len(label_set("scanobjectnn")) == 15
    (tmp_path / "own.json").write_text(json.dumps(["a", "b"]))
    assert label_set(str(tmp_path / "own.json")) == ["a", "b"]
    (tmp_path / "lvis.json.gz").write_bytes(gzip.compress(json.dumps({"sofa_bed": ["uid"], "bed": []}).encode()))
    assert label_set(str(tmp_path / "lvis.json.gz")) == ["sofa_bed", "bed"]
    (tmp_path / "bad.json").write_text("[1, 2]")
    for name, message in (
        (str(tmp_path / "bad.json"), "not a list of at least two"),
        ("imagenet", "modelnet40, scanobjectnn"),
    ):
        with pytest.raises(ConfigError, match=message):
            label_set(name)
