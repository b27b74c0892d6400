"""The whole config: one section per stage. Presets are YAML files in workflows/; every field is also a flag."""

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from caption.config import CaptionConfig, EmbedConfig
from fit_gaussians.config import FitConfig
from model.config import EvaluateConfig, TrainConfig
from pipeline.assets.config import AssetsConfig
from pipeline.base.errors import ConfigError
from pipeline.base.problems import first_problem
from pipeline.pack.config import PackConfig
from pipeline.report.config import ReportConfig
from pipeline.stages.registry import ADDED_SECTIONS
from render.config import RenderConfig


class Sections(BaseModel):
    """The sections of our own stages, each named as its stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    assets: AssetsConfig = AssetsConfig()
    render: RenderConfig = RenderConfig()
    fit: FitConfig = FitConfig()
    caption: CaptionConfig = CaptionConfig()
    embed: EmbedConfig = EmbedConfig()
    pack: PackConfig = PackConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()


if TYPE_CHECKING:
    Config = Sections
else:  # with a section for each stage that an installed package adds
    _added = {name: (section, section()) for name, section in ADDED_SECTIONS.items()}
    Config = create_model("Config", __base__=Sections, __module__=__name__, __doc__=Sections.__doc__, **_added)


def load_config(file: Path) -> Config:
    """The config that a YAML file describes; sections and fields it does not name keep their defaults.

    Raises:
        ConfigError: no such file, not YAML, an unknown key or a value of the wrong type; the message names the key.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return Config.model_validate(values)
    except OSError as error:
        raise ConfigError(f"cannot read config {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ConfigError(": ".join(filter(None, (str(file), *first_problem(error, Config))))) from error
