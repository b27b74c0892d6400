"""How a command ends when the reader of its output has gone, as in `… | head`."""

import os
import select
import sys
from collections.abc import Callable

EXIT_PIPE = 141  # 128 + SIGPIPE: what a shell reports of a program that a closed pipe ended


def exit_code(command: Callable[[], int | None]) -> int:
    """Run a command and write out what it printed; returns its exit code, 0 for None.

    If standard output or error is a pipe that nobody reads any more, the command ends without a word, with EXIT_PIPE.
    Any other broken pipe is an error and raised.
    """
    try:
        try:
            code = command() or 0
        except SystemExit as stop:
            if isinstance(stop.__context__, BrokenPipeError):
                return EXIT_PIPE  # rich met the closed pipe; it has silenced standard output
            sys.stdout.flush()
            raise
        sys.stdout.flush()  # at the interpreter's end an error could no longer be caught
    except BrokenPipeError:
        if not _silence_closed_outputs():
            raise
        return EXIT_PIPE
    return code


def _silence_closed_outputs() -> bool:
    """Discard whatever is still to be written to a pipe without a reader; returns whether there is such a pipe."""
    closed = [stream.fileno() for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream.fileno())]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in closed:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return bool(closed)


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))
