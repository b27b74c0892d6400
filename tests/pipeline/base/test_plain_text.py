"""What strangers call their objects reaches nobody's terminal but as text."""

import io
import logging
import sys

import pytest

from pipeline.base import logs
from pipeline.base.plain_text import plain_line, plain_text
from pipeline.stages.stage import Failure

HOSTILE = [
    "\x1b[2J",
    "\x1b]8;;http://evil\x07",
    "\x9b31m",
    "\x00",
    "\x08",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u2028",
    "\r",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_and_marks_are_written_as_escapes(text):
    safe = plain_text(f"a{text}b")
    assert safe.startswith("a\\") and safe.endswith("b") and safe.isprintable()


@pytest.mark.parametrize("text", ["Oak chair", "椅子", "Küche — 3½ m²", "two\nlines\tand a tab", "👩‍🚀"])
def test_text_stays(text):
    assert plain_text(text) == text


def test_one_line():
    assert plain_line("a\n  b\t\x1b[0m c") == "a b \\x1b[0m c"


def test_halves_of_characters_can_be_written():
    assert plain_text("\ud83d").encode() == b"\\ud83d"


def test_failures_and_log_lines(monkeypatch):
    failure = Failure("a", "AssetError", "object a: \x1b[2Jgone", log_tail="one\ntwo\x07")
    assert failure.message == "object a: \\x1b[2Jgone" and failure.log_tail == "one\ntwo\\x07"
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", io.StringIO())
        logs.configure(logs.current_style())
        logging.getLogger("pipeline.test").warning("object %s is gone", "\x1b]0;owned\x07")
        printed = sys.stderr.getvalue()
    logs.configure(logs.current_style())
    assert printed.endswith("object \\x1b]0;owned\\x07 is gone\n")
