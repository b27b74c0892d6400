"""Commands whose output nobody reads to its end."""

import os
import subprocess
import sys

import pytest

from fakes.corpus import fake_config
from pipeline.base.exit_code import EXIT_PIPE, exit_code


def into_closed_pipe(*arguments: str, errors_too: bool = False) -> tuple[int, str]:
    """Run a Python program whose standard output is a pipe without a reader; its exit code and standard error."""
    read, write = os.pipe()
    os.close(read)
    stderr = write if errors_too else subprocess.PIPE
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}  # unbuffered, argparse itself ignores that it cannot write
    done = subprocess.run(command, stdout=write, stderr=stderr, env=environment, text=True, check=False)
    os.close(write)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "command",
    [
        "pipeline.run --help",
        "pipeline.run --help-all",
        "pipeline.run --version",
        "pipeline.view --help",
        "caption.audit --help",
        "model.encode --help",
        "model.search --help",
        "model.evaluate_points --help",
    ],
)
def test_a_closed_pipe_ends_a_command_without_a_word(command):
    assert into_closed_pipe("-m", *command.split()) == (EXIT_PIPE, "")


@pytest.mark.parametrize(
    "flags", ["--status", "--plan", "--status --json", "--plan --json", "--verify", "--verify --json"]
)
def test_answers_on_a_corpus_into_a_closed_pipe(flags, new_corpus):
    corpus = new_corpus(fake_config())
    code = (
        "import sys; from pipeline.base.exit_code import exit_code; from pipeline.run import main; "
        "sys.exit(exit_code(main))"
    )
    assert into_closed_pipe("-c", code, "--corpus", corpus.root, *flags.split()) == (EXIT_PIPE, "")


def test_standard_error_into_the_same_closed_pipe():
    assert into_closed_pipe("-m", "pipeline.run", "--help", errors_too=True) == (EXIT_PIPE, "")
    assert into_closed_pipe("-m", "pipeline.run", "--bogus", errors_too=True) == (EXIT_PIPE, "")


def test_another_broken_pipe_is_an_error():
    def command() -> None:
        raise BrokenPipeError("to a worker")

    with pytest.raises(BrokenPipeError, match="to a worker"):
        exit_code(command)


def test_codes_are_passed_on():
    assert (exit_code(lambda: None), exit_code(lambda: 3)) == (0, 3)
    with pytest.raises(SystemExit) as stop:
        exit_code(lambda: sys.exit(2))
    assert stop.value.code == 2
