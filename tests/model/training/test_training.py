"""Whole trainings of a small model on synthetic shapes."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from model.config import EvaluateConfig, TrainConfig
from model.evaluation.evaluate import evaluate
from model.network.pretrained import from_pretrained
from model.network.registry import load_model_config
from model.stage import EvaluateStage, TrainStage
from model.training.train import train
from model.training.trainer import Trainer
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.reading.run_metrics import read_metrics
from tests.model.synthetic_triplets import DIM, shape_gaussians, triplet_row, write_split


@pytest.fixture
def config(nano_model) -> TrainConfig:
    return TrainConfig(model=nano_model, batch_size=8, steps=40, warmup_steps=5, tensorboard=False, threads=1)


@pytest.fixture
def corpus(eight_shapes, tmp_path) -> Corpus:
    """The eight shapes in a folder of the test's own."""
    shutil.copytree(eight_shapes.root, tmp_path / "corpus")
    return Corpus(tmp_path / "corpus")


def test_training_tells_eight_shapes_apart(corpus, config):
    figures = TrainStage(config).run(corpus)
    assert figures["steps"] == 40 and figures["train_objects"] == 8
    result = EvaluateStage(EvaluateConfig(zero_shot=False, threads=1)).run(corpus)
    for direction in ("text_to_3d", "3d_to_text", "image_to_3d", "3d_to_image"):
        assert result[f"retrieval_train_{direction}_r1"] >= 0.9
        assert result[f"retrieval_train_{direction}_r1_chance"] == 1 / 8
    assert result["retrieval_heldout_text_to_3d_r1_chance"] == pytest.approx(1 / 3)
    assert not [key for key in result if "_val_" in key]
    assert json.loads(json.dumps({**figures, **result})) == {**figures, **result}
    table = corpus.filesystem.read_text(corpus.path("runs", "default", "evaluation.md"))
    assert "retrieval_heldout_text_to_3d_r1" in table and "33.3%" in table
    losses = [row["loss"] for row in read_metrics(corpus, "default")]
    assert losses[-1] < 0.3 * losses[0]


def test_untrained_model_is_near_chance(corpus, config):
    """The other side of the test above: without steps that learn, retrieval is not near 1."""
    train(corpus, config.model_copy(update={"steps": 1, "learning_rate": 0.0}))
    result = evaluate(corpus, EvaluateConfig(zero_shot=False, threads=1))
    assert result["retrieval_train_text_to_3d_r1"] < 0.6


def test_stopped_run_ends_as_if_it_had_not_stopped(corpus, config, monkeypatch):
    """Drop path, patch dropout, averaging, augmentation: everything random goes on where it was."""
    config = config.model_copy(
        update={
            "steps": 10, "checkpoint_every": 4, "batch_size": 3, "log_every": 1, "workers": 3, "drop_path": 0.2,
            "patch_dropout": 0.5, "ema_decay": 0.9, "layer_decay": 0.9,
        }
    )  # fmt: skip
    train(corpus, config.model_copy(update={"run": "whole"}))
    step = Trainer._step

    def interrupted(self, forward, batch, number, clock):
        if number == 6:
            raise KeyboardInterrupt
        return step(self, forward, batch, number, clock)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(corpus, config.model_copy(update={"run": "stopped"}))
    assert not corpus.exists("runs", "stopped", "model.safetensors")
    steps = []
    monkeypatch.setattr(Trainer, "_step", lambda *args: (steps.append(args[3]), step(*args))[1])
    train(corpus, config.model_copy(update={"run": "stopped", "workers": 1}))
    assert steps == [4, 5, 6, 7, 8, 9]
    weights = [corpus.filesystem.cat(corpus.path("runs", run, "model.safetensors")) for run in ("whole", "stopped")]
    assert weights[0] == weights[1]
    assert read_metrics(corpus, "whole") == read_metrics(corpus, "stopped")


def test_a_run_whose_metrics_were_cut_short_goes_on(corpus, config, caplog):
    config = config.model_copy(update={"steps": 3, "log_every": 1})
    train(corpus, config)
    written = corpus.filesystem.cat(corpus.path("runs", "default", "metrics.jsonl")).decode()
    corpus.write_text(written[:-9], "runs", "default", "metrics.jsonl")
    assert train(corpus, config)["steps"] == 3
    assert "its last line is truncated" in caplog.text
    caplog.clear()
    assert [row["step"] for row in read_metrics(corpus, "default")] == [1, 2]
    assert not caplog.text  # it was written whole again


def test_finished_run_is_not_trained_again(corpus, config, monkeypatch):
    config = config.model_copy(update={"steps": 2})
    train(corpus, config)
    monkeypatch.setattr(Trainer, "_step", lambda *_: pytest.fail("trained again"))
    assert train(corpus, config)["steps"] == 2


def test_run_of_another_config_is_kept(corpus, config):
    config = config.model_copy(update={"steps": 2})
    train(corpus, config)
    before = corpus.filesystem.cat(corpus.path("runs", "default", "model.safetensors"))
    train(corpus, config.model_copy(update={"learning_rate": 0.01}))
    kept = [path for path in corpus.filesystem.ls(corpus.path("runs"), detail=False) if "default-" in path]
    assert len(kept) == 1
    assert corpus.filesystem.cat(f"{kept[0]}/model.safetensors") == before


def test_saved_model_is_the_trained_one(corpus, config):
    train(corpus, config.model_copy(update={"steps": 2, "tokenizer": "points"}))
    model, encoder = from_pretrained(corpus.path("runs", "default"))
    assert encoder == "test:none@0" and model.config.tokenizer == "points" and model.config.embed_dim == DIM
    corpus.write_text("{", "runs", "default", "model.safetensors")
    with pytest.raises(ConfigError, match="does not fit"):
        from_pretrained(corpus.path("runs", "default"))
    with pytest.raises(ConfigError, match="run the train stage"):
        from_pretrained(corpus.path("runs", "other"))


def test_run_starts_from_another_run_and_says_what_it_took(corpus, config, capsys):
    config = config.model_copy(update={"steps": 1})
    train(corpus, config.model_copy(update={"run": "points", "tokenizer": "points"}))
    start = {"run": "gs", "init": corpus.path("runs", "points"), "learning_rate": 0.0}
    train(corpus, config.model_copy(update=start))
    assert re.search(r"runs/points: \d+ loaded; \d+ missing \(.*refine", capsys.readouterr().out)
    first, _ = from_pretrained(corpus.path("runs", "points"))
    second, _ = from_pretrained(corpus.path("runs", "gs"))
    for name, value in first.named_parameters():
        assert torch.equal(second.get_parameter(name), value)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"accumulate": 2},
        {"image_weight": 0.0},
        {"voting_views": 1, "voting_weights": "uniform"},
        {"tensorboard": True},
    ],
    ids=str,
)
def test_variants_train(corpus, config, changes):
    figures = train(corpus, config.model_copy(update={"steps": 3, **changes}))
    assert np.isfinite(figures["final_loss"])
    assert ("final_loss_image" in figures) == (changes.get("image_weight", 1) > 0)
    assert corpus.exists("runs", "default", "tensorboard") == changes.get("tensorboard", False)


def test_training_stops_early_where_validation_does_not_improve(corpus, config):
    write_split(corpus, "val", [triplet_row(i, "val", shape_gaussians(i, 500)) for i in range(3)])
    changes = {"steps": 50, "learning_rate": 0.0, "validate_every": 2, "patience": 2, "ema_decay": 0.5}
    config = config.model_copy(update=changes)
    assert train(corpus, config)["steps"] == 6
    assert train(corpus, config)["steps"] == 6  # stopped for good
    assert [row["step"] for row in read_metrics(corpus, "default") if "loss_val_text" in row] == [2, 4, 6]


def test_a_run_that_stops_early_leaves_its_best_weights(corpus, config, monkeypatch):
    write_split(corpus, "val", [triplet_row(i, "val", shape_gaussians(i, 500)) for i in range(3)])
    losses, weights = iter([3.0, 1.0, 2.0, 2.0]), []

    def validation_loss(self, validation):
        weights.append({name: value.clone() for name, value in self.model.state_dict().items()})
        return next(losses)

    monkeypatch.setattr(Trainer, "_validation_loss", validation_loss)
    config = config.model_copy(update={"steps": 50, "validate_every": 2, "patience": 2, "warmup_steps": 1})
    assert train(corpus, config)["steps"] == 8
    best, _ = from_pretrained(corpus.path("runs", "default"))
    for name, value in best.state_dict().items():
        assert torch.equal(value, weights[1][name])
    assert any(not torch.equal(value, weights[3][name]) for name, value in best.state_dict().items())


def bad_corpus(tmp_path, **changes) -> Corpus:
    corpus = Corpus(tmp_path / "bad")
    rows = [triplet_row(i, "train", shape_gaussians(i, 500)) for i in range(4)]
    rows[2] |= changes
    write_split(corpus, "train", rows)
    return corpus


def few_gaussians() -> dict:
    row = triplet_row(2, "train", shape_gaussians(2, 15))
    return {name: row[name] for name in ("means", "quats", "scales", "opacities", "colors")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "other:model@1"}, "one encoder"),
        ({"text_embedding": np.ones(7), "image_embeddings": np.ones((6, 7))}, r"\[7, 32\] dimensions"),
        ({"image_embeddings": np.ones((6, 7))}, r"\[7, 32\] dimensions"),
        (few_gaussians(), "15 Gaussians"),
        ({"image_embeddings": np.ones((3, 32)), "view_weights": np.ones(3)}, "3 views"),
        ({"text_embedding": np.full(32, np.nan)}, "NaN or infinite text_embedding"),
        ({"opacities": np.full(500, np.inf)}, "NaN or infinite gaussians"),
    ],
)
def test_bad_objects_are_named_before_the_first_step(tmp_path, config, monkeypatch, changes, message):
    monkeypatch.setattr(Trainer, "_step", lambda *_: pytest.fail("a step was made"))
    with pytest.raises(ConfigError, match=message) as error:
        train(bad_corpus(tmp_path, **changes), config)
    assert "train-0002" in str(error.value)


def test_empty_train_split_says_what_to_do(tmp_path, config):
    with pytest.raises(ConfigError, match="run the pack stage"):
        train(Corpus(tmp_path / "empty"), config)


def test_contrast_needs_two_objects(corpus, config):
    for changes in ({"batch_size": 1}, {"batch_size": 4, "accumulate": 3}):
        with pytest.raises(ConfigError, match="at least two objects"):
            train(corpus, config.model_copy(update=changes))


def test_unknown_models_are_refused(config):
    with pytest.raises(ConfigError, match="there are: b, g, l, s, ti, tiny"):
        load_model_config("huge")
    with pytest.raises(ConfigError, match="cannot read model"):
        load_model_config("none.json")
    with pytest.raises(ConfigError, match="groups"):
        load_model_config("tiny", groups="many")


def test_evaluation_refuses_other_embeddings(corpus, config):
    train(corpus, config.model_copy(update={"steps": 1}))
    write_split(corpus, "heldout", [triplet_row(0, "heldout", shape_gaussians(0, 500), encoder="other:model@1")])
    with pytest.raises(ConfigError, match="train again"):
        evaluate(corpus, EvaluateConfig(zero_shot=False))
