"""The user's request: flags over a YAML preset, or over the config that the corpus was last run with."""

import argparse
import contextlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.base.errors import ConfigError
from pipeline.base.logs import LogStyle
from pipeline.base.problems import first_problem
from pipeline.command.help import FLAG_STYLE, PROGRAM, print_help, wants_help
from pipeline.stages.config import Config, load_config
from pipeline.stages.registry import STAGES
from pipeline.state.records import find_manifest
from pipeline.store.corpus_store import CorpusStore

IN_RAY_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # an environment variable (of this very name) that `ray job submit` sets


if TYPE_CHECKING:
    StageName = str
else:  # a type that is made when the program runs, of the stages that there are
    StageName = Literal[*STAGES, "all"]


class Options(BaseModel):
    """What to do, with which corpus and where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: StageName = "all"
    """The stage to run; all: every stage, shard by shard."""
    corpus: str = ""
    """Folder or bucket URI of the corpus (s3://…, gs://…)."""
    config: str = ""
    """YAML preset; without it, the config that the corpus was last run with."""
    executor: Literal["local", "ray"] = "local"
    """local: this machine; ray: the cluster at RAY_ADDRESS, or one started for this run."""
    workers: int = Field(0, ge=0)
    """Shards at once; 0: a process per CPU, or what keeps the Ray cluster busy; local 1: no worker process."""
    shards: str = ""
    """Only these shards, such as 10-20 or 0,3,10-20."""
    force: bool = False
    """Redo the named stage; with --stage all, redo what was made under another config."""
    retry_failed: bool = False
    """Retry the objects that failed, and nothing else."""
    status: bool = False
    """Show what is done, failed and pending, and exit."""
    plan: bool = False
    """Show what would run and for how long, and exit."""
    verify: bool = False
    """Check every table, image and asset file of the corpus, and exit."""
    repair: bool = False
    """As --verify, then remove what is damaged so that the next run makes it again."""
    quick: bool = False
    """With --verify or --repair: check records and uids only, not every row, image and asset file."""
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False
    """Print --status, --plan, --verify and --repair as one JSON object, and log lines as JSON."""
    verbose: bool = False
    """Log progress as well as warnings."""

    @property
    def log_style(self) -> LogStyle:
        """How this run logs."""
        return LogStyle(as_json=self.as_json, verbose=self.verbose)


class Command(BaseModel):
    """3D assets to (3D Gaussian Splat, images, caption) triplets, and CLIP-GS trained on them."""

    options: Annotated[Options, tyro.conf.arg(name="")] = Options()
    sections: Annotated[Config, tyro.conf.arg(name="")] = Config()


@dataclass(frozen=True)
class Request:
    """A valid command line."""

    options: Options
    config: Config


def parse(arguments: Sequence[str]) -> Request:
    """The request that a command line means.

    Raises:
        ConfigError: an unknown flag or key, a wrong value, no --corpus.
        SystemExit: help or the version was asked for, and printed.
    """
    given = _given(arguments)
    if wants_help(arguments):
        config = load_config(Path(given["config"])) if given["config"] else Config()
        print_help(arguments, Options(), config, Command(sections=config))
        raise SystemExit(0)
    command = _parse_flags(arguments, Command(sections=_default_config(given)))
    if not command.options.corpus:
        raise ConfigError(f"--corpus is missing: the folder or bucket URI of the corpus ({PROGRAM} --help)")
    _check_place(command.options.corpus)
    return Request(command.options, command.sections)


def parse_shards(text: str, count: int) -> list[int]:
    """The shards that `10-20` or `0,3,10-20` names (both ends included); all of them for an empty text.

    Raises:
        ConfigError: not such a list, or no such shard.
    """
    if not text:
        return list(range(count))
    shards: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not match:
            raise ConfigError(f"--shards {text}: write it as 10-20 or 0,3,10-20")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last or last >= count:
            raise ConfigError(f"--shards {text}: this corpus has the shards 0-{count - 1}")
        shards.update(range(first, last + 1))
    return sorted(shards)


def _check_place(corpus: str) -> None:
    if IN_RAY_JOB in os.environ and "://" not in corpus and not Path(corpus).is_absolute():
        raise ConfigError(
            f"--corpus {corpus}: a job runs in a temporary copy of the code; give an absolute path or a URI that all "
            "nodes of the cluster reach"
        )


def _given(arguments: Sequence[str]) -> dict[str, str]:
    """The two flags that determine the defaults of all others."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", nargs="?", default="")
    parser.add_argument("--corpus", nargs="?", default="")
    return vars(parser.parse_known_args(arguments)[0])


def _default_config(given: dict[str, str]) -> Config:
    if given["config"]:
        return load_config(Path(given["config"]))
    manifest = find_manifest(CorpusStore(given["corpus"])) if given["corpus"] else None
    if manifest is None:
        return Config()
    try:
        return Config.model_validate(manifest.config)
    except ValidationError as error:
        problem = ": ".join(first_problem(error, Config))
        raise ConfigError(
            f"the config stored in {given['corpus']} does not fit this version ({problem}): give --config"
        ) from error


def _parse_flags(arguments: Sequence[str], default: Command) -> Command:
    """tyro's parse, with its framed error message made one line."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(Command, prog=PROGRAM, args=arguments, default=default, config=FLAG_STYLE)
    except (ValidationError, SystemExit) as stop:
        raise ConfigError(_wrong_value(stop) or _one_line(printed.getvalue())) from stop


def _wrong_value(error: BaseException | None) -> str:
    """What pydantic refused, if it did: tyro's own frame around it does not name the flag."""
    while error is not None and not isinstance(error, ValidationError):
        error = error.__context__
    if error is None:
        return ""
    key, problem = first_problem(error, Config)
    flag = f"--{_prefix(error.title)}{key}".rstrip(".").replace("_", "-")  # of the section where fields do not agree
    return f"{flag}: {problem}"


def _one_line(message: str) -> str:
    lines = [re.sub(r"[─│╭╮╰╯]", " ", line).strip() for line in message.splitlines()]
    text = " ".join(line for line in lines[1:] if line)  # the first line is the frame's title
    text = re.split("Argument helptext|For full helptext", text)[0].strip().rstrip(".")
    return f"{text} ({PROGRAM} --help)"


def _prefix(title: str, model: type[BaseModel] = Config) -> str:
    """`fit.` for FitConfig: pydantic names the class whose value is wrong, tyro builds one class at a time."""
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            below = _prefix(title, section)
            if below or section.__name__ == title:
                return f"{name}.{below}"
    return ""
