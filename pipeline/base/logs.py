"""Log lines, for people or for machines, that say what the process was working on when they were written."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.base.plain_text import plain_text

_TEXT = "%(levelname)s %(name)s: %(message)s"
_PACKAGES = ("pipeline", "render", "fit_gaussians", "caption", "model")


@dataclass(frozen=True)
class LogStyle:
    """How a run logs, in all its processes."""

    as_json: bool = False  # one JSON object per line, not text
    verbose: bool = False  # this project's info lines too, not warnings and errors alone


# Of this process: a worker runs one step at a time, in which a stage may have threads.
_at: dict[str, Any] = {}
_style = LogStyle()
_handler: logging.Handler | None = None


def configure(style: LogStyle) -> None:
    """Write log lines to standard error."""
    global _handler, _style
    root = logging.getLogger()
    if _handler is not None:
        root.removeHandler(_handler)
    _handler = logging.StreamHandler(sys.stderr)
    _handler.setFormatter(_Json() if style.as_json else _Text(_TEXT))
    root.addHandler(_handler)
    root.setLevel(logging.WARNING)
    for package in _PACKAGES:  # libraries log an info line for every request
        logging.getLogger(package).setLevel(logging.INFO if style.verbose else logging.NOTSET)
    _style = style


def current_style() -> LogStyle:
    """What `configure` set, for processes that this one starts."""
    return _style


def working_on(stage: str = "", shard: int = -1, uids: Sequence[str] = ()) -> None:
    """What this process works on from now on; nothing, without arguments."""
    _at.clear()
    if stage:
        _at.update(stage=stage, shard=shard, uids=list(uids))


class _Text(logging.Formatter):
    """Names and addresses of strangers stand in messages: nothing in them reaches the terminal but as text."""

    def format(self, record: logging.LogRecord) -> str:
        return plain_text(super().format(record))


class _Json(logging.Formatter):
    """time (UTC), level, logger, message and, where there are such, stage, shard, uids, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_at,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
