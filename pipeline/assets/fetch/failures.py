"""Why a file did not arrive, in words that name no secret, and as the error that fits."""

import http.client
import re

import requests
from urllib3.exceptions import ReadTimeoutError

from pipeline.assets.fetch.transfer import Passing
from pipeline.base.errors import Timeout, Unreachable

# statuses that may be another one a moment later
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_URL = re.compile(r"\w+://\S+|/\S*\?\S+")


def given_up(name: str, problem: Exception, attempts: int) -> Timeout | Unreachable:
    """The error for a file that no attempt could fetch."""
    message = f"{name}: {reason(problem)} (attempts: {attempts}); try again later"
    return Timeout(message) if _is_silence(problem) else Unreachable(message)


def reason(problem: Exception) -> str:
    """What happened to one attempt."""
    if _is_silence(problem):
        return "the server stopped responding"
    return str(problem) if isinstance(problem, Passing) else f"the connection failed ({_root(problem)})"


def _is_silence(problem: Exception) -> bool:
    return isinstance(problem, (requests.Timeout, ReadTimeoutError))


def _root(problem: Exception) -> str:
    """The innermost of the errors that the libraries wrap around each other."""
    while True:
        inner = getattr(problem, "reason", None) or (problem.args[-1] if problem.args else None)
        if not isinstance(inner, Exception):
            break
        problem = inner
    if isinstance(problem, http.client.HTTPException) and not isinstance(problem, OSError):
        return type(problem).__name__  # its text is what the server sent
    return _URL.sub("…", str(problem)) or type(problem).__name__
