"""Fetches one file over HTTP: within limits, with retries where they may help, and completely or not at all.

`requests` brings connections, proxies and certificates, urllib3's `Retry` counts the attempts and says how long to wait
(back-off, Retry-After). Neither takes up a broken body where it broke, limits bytes or the time of a whole transfer;
that is what this module adds.
"""

import logging
import re
import threading
import time
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from pipeline.assets.config import AssetsConfig
from pipeline.assets.refusals import Refusal, status_line
from pipeline.assets.transfer import Passing, Transfer
from pipeline.base.errors import AssetError, Timeout, Unreachable

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 18
USER_AGENT = "clip-gs-corpus"
MAX_REDIRECTS = 5
MAX_BACKOFF_S = 60
# statuses that may be another one a moment later
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# The hub names the SHA-256 of a large file in this header of its redirect.
LINKED_CHECKSUM = "X-Linked-ETag"
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_BAD_ADDRESS = (InvalidURL, InvalidSchema, MissingSchema, LocationParseError)


class Downloader:
    """Fetches files under the limits of the assets config; may be shared by threads."""

    def __init__(self, config: AssetsConfig):
        self._config = config
        self._pace = _Pace(config.requests_per_second)
        self._retry = Retry(
            total=config.retries,
            backoff_factor=config.backoff_s,
            backoff_max=MAX_BACKOFF_S,
            backoff_jitter=config.backoff_s,
        )
        self._session = _Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # threads share no state
        adapter = HTTPAdapter(pool_maxsize=config.downloads)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def fetch(self, url: str, target: Path, max_bytes: int, sha256: str = "") -> None:
        """Download `url` to `target`, which exists only once it is complete.

        Args:
            max_bytes: a larger file is refused.
            sha256: the checksum that it must have (64 hex digits); empty: the one that the server names, if it does.

        Raises:
            AssetError: it is missing, access is denied, it is too large, its checksum differs, or the URL is invalid.
            Timeout: it took longer than `assets.timeout_s`, or the server stopped responding every time.
            Unreachable: the server could not be reached, was overloaded or broke off every time.
        """
        check_address(url)
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("wb") as file:
                transfer = Transfer(url, file, max_bytes, sha256.strip().lower(), self._config.timeout_s)
                self._attempts(transfer)
            transfer.check()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _attempts(self, transfer: Transfer) -> None:
        """Try until the body is there, or the number of attempts or the time is used up."""
        retry = self._retry
        while True:
            try:
                self._attempt(transfer)
                return
            except _BAD_ADDRESS as error:
                raise AssetError(f"{transfer.url}: it is not the URL of a file ({error})") from error
            except (requests.RequestException, HTTPError, Passing) as error:
                problem = error
            try:
                retry = retry.increment("GET", transfer.url, error=problem)
            except MaxRetryError as error:
                raise _typed(transfer.url, problem, self._config) from error
            wait = _wait_s(retry, problem)
            if wait > transfer.left_s():
                raise Timeout(
                    f"{transfer.url}: {_reason(problem)}; the next retry is due in {wait:.0f} s, more than "
                    f"assets.timeout_s ({self._config.timeout_s:g}) leaves"
                ) from problem
            logger.info("%s: %s; trying again in %.1f s", transfer.url, _reason(problem), wait)
            time.sleep(wait)

    def _attempt(self, transfer: Transfer) -> None:
        with self._open(transfer) as response:
            status = response.status_code
            refusal = None if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT) else Refusal(transfer.url, response)
            if refusal and status in PASSING and not refusal.is_over_quota:
                raise Passing(status_line(status), response.headers.get("Retry-After", ""))
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and transfer.received:
                transfer.start_again()
                raise Passing("the server cannot resume the download")
            if refusal:
                raise refusal.error()
            transfer.take_up(response)
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                transfer.add(chunk)
            transfer.end()

    def _open(self, transfer: Transfer) -> requests.Response:
        """The answer at the end of the redirects."""
        url = transfer.url
        for _ in range(MAX_REDIRECTS + 1):
            self._pace.wait()
            left = transfer.left_s()
            timeouts = (min(self._config.connect_timeout_s, left), min(self._config.read_timeout_s, left))
            response = self._session.get(
                url, headers=transfer.headers(), timeout=timeouts, stream=True, allow_redirects=False
            )
            transfer.sha256 = transfer.sha256 or _linked_checksum(response)
            if not response.is_redirect:
                return response
            response.close()
            url = next_address(url, response.headers["Location"])
        raise AssetError(f"{transfer.url}: more than {MAX_REDIRECTS} redirects")


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Redirects are followed here, one by one; requests would read the whole body of each, however long."""


class _Pace:
    """Spaces the requests of all threads evenly."""

    def __init__(self, per_second: float):
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        time.sleep(start - now)


def check_address(url: str) -> None:
    """Refuse what is not an http(s) address.

    Raises:
        AssetError: it has another scheme, or no host.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise AssetError(f"{url!r} is not an http(s) URL, and nothing else is fetched")


def next_address(url: str, location: str) -> str:
    """Where a redirect of `url` leads.

    Raises:
        AssetError: not to an http(s) address, or from https to http.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location  # which is no address, either
    check_address(target)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise AssetError(f"{url}: it redirects from https to {target}, which is not protected against tampering")
    return target


def _linked_checksum(response: requests.Response) -> str:
    match = _SHA256.fullmatch(response.headers.get(LINKED_CHECKSUM, ""))
    return match[1] if match else ""


def _wait_s(retry: Retry, problem: Exception) -> float:
    """What the server asks for, where it can be understood; else the back-off."""
    text = problem.retry_after if isinstance(problem, Passing) else ""
    try:
        return retry.parse_retry_after(text) if text else retry.get_backoff_time()
    except (InvalidHeader, ValueError, OverflowError):  # the latter two for numbers and dates beyond all bounds
        return retry.get_backoff_time()


def _typed(url: str, problem: Exception, config: AssetsConfig) -> Timeout | Unreachable:
    """The error for a file that no attempt could fetch."""
    message = f"{url}: {_reason(problem)} (attempts: {config.retries + 1}); try again later"
    return Timeout(message) if _is_silence(problem) else Unreachable(message)


def _is_silence(problem: Exception) -> bool:
    return isinstance(problem, (requests.Timeout, ReadTimeoutError))


def _reason(problem: Exception) -> str:
    if _is_silence(problem):
        return "the server stopped responding"
    return str(problem) if isinstance(problem, Passing) else f"the connection failed ({_root(problem)})"


def _root(problem: Exception) -> Exception:
    """The innermost of the errors that the libraries wrap around each other."""
    while True:
        inner = getattr(problem, "reason", None) or (problem.args[-1] if problem.args else None)
        if not isinstance(inner, Exception):
            return problem
        problem = inner
