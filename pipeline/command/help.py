"""What --help, --help SECTION, --help-all and --version print: nine in ten flags are fields of the config."""

from collections.abc import Sequence
from typing import Any

import tyro
from pydantic import BaseModel, create_model

from pipeline.base.errors import ConfigError
from pipeline.base.version import PACKAGE, code_version
from pipeline.stages.config import Config

PROGRAM = "python -m pipeline.run"
FLAG_STYLE = (tyro.conf.FlagCreatePairsOff,)

_GUIDE = """
more help:
  --help SECTION            Show the flags of one section of the config, and exit.
  --help-all                Show all flags, and exit.
  --version                 Show the version, and exit.

sections:
{sections}

examples:
  {program} --config workflows/demo.yaml --corpus corpora/demo
  {program} --corpus corpora/demo --status"""


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for help or the version, whatever else it says."""
    flags = {argument.partition("=")[0] for argument in arguments}
    return bool(flags & {"-h", "--help", "--help-all", "--version"})


def print_help(arguments: Sequence[str], options: BaseModel, config: Config, command: BaseModel) -> None:
    """Print what a command line asks for.

    Args:
        options: the flags that are not fields of the config.
        config: the defaults of those that are.
        command: both.

    Raises:
        ConfigError: --help names a section that the config does not have.
    """
    section = _section(arguments)
    if "--version" in arguments:
        print(f"{PACKAGE} {code_version()}")
    elif "--help-all" in arguments:
        _print_flags(command)
    elif section:
        _print_flags(_only(section, config))
    else:
        _print_flags(options, description=type(command).__doc__)
        print(_GUIDE.format(sections=_list_sections(), program=PROGRAM))


def _section(arguments: Sequence[str]) -> str:
    """The word after --help; empty if there is none."""
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        flag, equals, value = argument.partition("=")
        if flag in ("-h", "--help"):
            return value if equals or following.startswith("-") else following
    return ""


def _only(section: str, config: Config) -> BaseModel:
    """A config of one section, with the values it has in `config`."""
    if section not in Config.model_fields:
        raise ConfigError(f"--help {section}: there is no such section; there are {', '.join(Config.model_fields)}")
    values: Any = getattr(config, section)
    fields: dict[str, Any] = {section: (type(values), values)}
    flags: type[BaseModel] = create_model("Flags", **fields)
    return flags()


def _list_sections() -> str:
    texts = {name: field.annotation.__doc__ or "" for name, field in Config.model_fields.items()}
    return "\n".join(f"  {name:25} {text.partition(chr(10))[0]}" for name, text in texts.items())


def _print_flags(values: BaseModel, description: str | None = "") -> None:
    """tyro's help on the fields of a model."""
    try:
        tyro.cli(
            type(values), prog=PROGRAM, description=description, args=["--help"], default=values, config=FLAG_STYLE
        )
    except SystemExit as stop:
        if stop.code:
            raise
