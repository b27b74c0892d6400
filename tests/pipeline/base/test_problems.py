"""Wrong values of a config are told in plain words, and every number has its range."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.base.problems import first_problem
from pipeline.stages.config import Config

BOUNDS = {"Ge", "Gt", "Le", "Lt"}


def told(values: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Config.model_validate(values)
    return ": ".join(first_problem(refused.value, Config))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"render": {"views": -3}}, "render.views: it must be at least 2, not -3"),
        ({"render": {"fov_deg": 400}}, "render.fov_deg: it must be at most 150, not 400"),
        ({"assets": {"shard_size": -1}}, "assets.shard_size: it must be at least 1, not -1"),
        ({"assets": {"limit": -3}}, "assets.limit: it must be at least 0, not -3"),
        ({"assets": {"val_fraction": 7}}, "assets.val_fraction: it must be at most 1, not 7"),
        ({"assets": {"val_fraction": float("nan")}}, "assets.val_fraction: it must be a finite number, not nan"),
        ({"train": {"learning_rate": -1}}, "train.learning_rate: it must be at least 0, not -1"),
        ({"fit": {"iterations": "many"}}, "fit.iterations: it must be a whole number, not 'many'"),
        ({"fit": {"iterations": 1.5}}, "fit.iterations: it must be a whole number, not 1.5"),
        ({"train": {"tensorboard": "perhaps"}}, "train.tensorboard: it must be true or false, not 'perhaps'"),
        (
            {"render": {"shading": "lit up"}},
            "render.shading: it must be one of albedo, diffuse or studio, not 'lit up'",
        ),
        ({"pack": 5}, "pack: it must be a section with settings of its own, not 5"),
        ({"fit": {"iteration": 5}}, "fit.iteration: there is no such setting; perhaps you meant fit.iterations"),
        ({"iterations": 5}, "iterations: there is no such setting; perhaps you meant fit.iterations"),
        ({"rendering": {}}, "rendering: there is no such setting; perhaps you meant render"),
        ({"zzz": {}}, "zzz: there is no such setting"),
        ({"assets": {"path": 5}}, "assets.path: it must be a text, not 5"),
    ],
)
def test_plain_words(values, message):
    assert told(values) == message


def test_a_value_is_not_shown_at_length():
    assert len(told({"fit": {"iterations": "x" * 10_000}})) < 150


def test_fractions_that_leave_nothing_to_train_on():
    assert told({"assets": {"val_fraction": 0.7, "heldout_fraction": 0.7}}).startswith("assets: val_fraction (0.7) and")


def numbers(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from numbers(field.annotation, f"{prefix}{name}.")
        elif field.annotation in (int, float):
            yield prefix + name, field


def test_every_number_has_a_range():
    without = {name for name, field in numbers(Config) if not BOUNDS & {type(each).__name__ for each in field.metadata}}
    assert {name.rpartition(".")[2] for name in without} <= {"seed"}
