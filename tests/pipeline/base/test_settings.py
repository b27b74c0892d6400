"""Sections of the config, what of them counts, and loading presets."""

import pytest
from pydantic import ValidationError

from pipeline.base.errors import ConfigError
from pipeline.base.settings import Section, content_hash, runtime
from pipeline.stages.config import Config, load_config
from pipeline.stages.registry import SHARD_STAGES
from pipeline.state.lineage import differences, stage_content, upstream


class Example(Section):
    steps: int = 3
    threads: int = runtime(1)


def test_runtime_fields_are_not_content():
    assert Example().content() == Example(threads=8).content() == {"steps": 3}
    assert content_hash(Example().content()) != content_hash(Example(steps=4).content())


def test_sections_are_frozen_and_strict():
    with pytest.raises(ValidationError):
        Example(step=3)
    with pytest.raises(ValidationError):
        Example().steps = 4


def test_presets_name_what_they_change(tmp_path):
    file = tmp_path / "preset.yaml"
    file.write_text("fit:\n  iterations: 5\n")
    assert load_config(file).fit.iterations == 5
    assert load_config(file).render == Config().render
    file.write_bytes(b"\xff\xfe\x00 not text")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(file)


def test_content_covers_everything_upstream():
    assert upstream("embed", SHARD_STAGES) == ["assets", "render", "caption", "embed"]
    config = Config()
    assert stage_content("fit", config, SHARD_STAGES).keys() == {"assets", "render", "fit"}
    changed = Config.model_validate({"render": {"samples": 100}})
    assert content_hash(stage_content("embed", config, SHARD_STAGES)) != content_hash(
        stage_content("embed", changed, SHARD_STAGES)
    )


def test_differences_name_fields_on_both_sides():
    old = {"fit": {"steps": 3, "gone": 1}}
    new = {"fit": {"steps": 4, "mode": "fast"}}
    expected = "fit.gone: 1 there, '(none)' now, fit.mode: '(none)' there, 'fast' now, fit.steps: 3 there, 4 now"
    assert differences(old, new) == expected
    assert differences(new, new) == ""
