"""Fetches one file over HTTP: within limits, with retries where they may help, and completely or not at all.

`requests` brings connections, proxies and certificates, urllib3's `Retry` counts the attempts and says how long to wait
between them. Neither takes up a broken body where it broke, limits bytes or the time of a whole transfer, or knows of
other processes' requests (`windows`); that is what this module adds.
"""

import logging
import re
import threading
import time
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError
from urllib3.util import Retry

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import is_loopback, next_address, origin, shown
from pipeline.assets.fetch.credentials import Credentials, Trust
from pipeline.assets.fetch.failures import PASSING, given_up, reason
from pipeline.assets.fetch.mirrors import Mirrors, check_settings, is_mirror
from pipeline.assets.fetch.refusals import Refusal, status_line
from pipeline.assets.fetch.transfer import Passing, Transfer
from pipeline.assets.fetch.window import grown_backoff_s
from pipeline.assets.fetch.windows import LONGEST_WAIT_S, Closed, Ticket, Windows, spread_s
from pipeline.base.errors import AssetError, Timeout, Unreachable

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 18
USER_AGENT = "clip-gs-corpus"
MAX_REDIRECTS = 5
MAX_BACKOFF_S = 60
# The hub names the SHA-256 of a large file in this header of its redirect.
LINKED_CHECKSUM = "X-Linked-ETag"
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_BAD_ADDRESS = (InvalidURL, InvalidSchema, MissingSchema, LocationParseError)

# Its warnings name whole addresses, signed ones too.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Downloader:
    """Fetches files under the limits of the assets config; may be shared by threads."""

    def __init__(self, config: AssetsConfig):
        """
        Raises:
            ConfigError: as `check_settings`.
        """
        check_settings(config)
        self._config = config
        self.mirrors = Mirrors(config)
        self._windows = Windows(config)
        self._trust = Trust()
        self._stopped = threading.Event()
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

    def fetch(self, url: str, target: Path, max_bytes: int, sha256: str = "", waits: bool = True) -> None:
        """Download `url` to `target`, which exists only once it is complete.

        Args:
            url: http(s), or `file://` below a mirror that the settings name.
            max_bytes: a larger file is refused.
            sha256: the checksum that it must have (64 hex digits); empty: the one that the server names, if it does.
            waits: until the server takes requests again, where it takes none for a while.

        Raises:
            Closed: the server takes no requests, and `waits` is false.
            AssetError: it is missing, access is denied, it is too large, its checksum differs, or the URL is invalid.
            Timeout: it took longer than `assets.timeout_s`, or the server stopped responding every time. The time in
                which a server takes no requests does not count.
            Unreachable: the server could not be reached, was overloaded or broke off every time, or took no requests
                for more than `LONGEST_WAIT_S`.
        """
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("wb") as file:
                sha256, timeout_s = sha256.strip().lower(), self._config.timeout_s
                transfer = Transfer(shown(url), file, max_bytes, sha256, timeout_s, self._stopped)
                if is_mirror(url):
                    self._copy(url, transfer)
                else:
                    self._attempts(url, transfer, waits)
            transfer.check()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the downloads that other threads have begun, as Unreachable. Later ones are not concerned."""
        stopped, self._stopped = self._stopped, threading.Event()
        stopped.set()

    def _copy(self, url: str, transfer: Transfer) -> None:
        with self.mirrors.open(url) as file:
            while chunk := file.read(CHUNK_BYTES):
                transfer.add(chunk)

    def _attempts(self, url: str, transfer: Transfer, waits: bool) -> None:
        """Try until the body is there, or the number of attempts or the time is used up.

        What the libraries raise is not chained to our errors: it has the whole address, and a log would print it.
        """
        retry = self._retry
        while True:
            try:
                self._attempt(url, transfer)
                return
            except Closed as closed:
                if not waits:
                    raise
                self._wait_out(closed, transfer)
                continue
            except _TokenRefused:
                transfer.is_token_refused = True
                continue
            except _BAD_ADDRESS:
                raise AssetError(f"{transfer.name}: it is not the URL of a file") from None
            except (requests.RequestException, HTTPError, Passing) as error:
                problem = error
            try:
                retry = retry.increment("GET", transfer.name, error=problem)
            except MaxRetryError:
                raise given_up(transfer.name, problem, self._config.retries + 1) from None
            wait = retry.get_backoff_time()
            if wait > transfer.left_s():
                raise Timeout(
                    f"{transfer.name}: {reason(problem)}; the next retry is due in {wait:.0f} s, more than "
                    f"assets.timeout_s ({self._config.timeout_s:g}) leaves"
                )
            logger.info("%s: %s; trying again in %.1f s", transfer.name, reason(problem), wait)
            transfer.wait(wait)

    def _wait_out(self, closed: Closed, transfer: Transfer) -> None:
        """Wait until a server takes requests again; that is no failure of the file's.

        A file that is refused again and again, while others are not, waits longer and longer: the pauses that it causes
        are everybody's.
        """
        wait = closed.wait_s
        transfer.refusals += closed.is_refusal
        if closed.is_refusal and transfer.refusals > 1:
            wait = max(wait, grown_backoff_s(self._config.backoff_s, transfer.refusals))
        if transfer.waited_s + wait > LONGEST_WAIT_S:
            raise Unreachable(
                f"{transfer.name}: {closed}, after {transfer.waited_s:.0f} s of waiting; a file waits for "
                f"{LONGEST_WAIT_S:.0f} s at most; try again later"
            )
        transfer.wait_outside(wait + spread_s(wait))

    def _attempt(self, url: str, transfer: Transfer) -> None:
        credentials = Credentials(url, self._config, self._trust, with_token=not transfer.is_token_refused)
        self._pace.wait()
        with (
            self._windows.enter(url) as ticket,
            self._open(url, transfer, credentials, ticket) as response,
        ):
            status = response.status_code
            is_body = status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
            refusal = None if is_body else Refusal(transfer.name, response)
            self._windows.note(ticket, response, may_refuse=refusal is not None and not refusal.is_over_quota)
            if refusal and status in PASSING and not refusal.is_over_quota:
                raise Passing(status_line(status))
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and transfer.received:
                transfer.start_again()
                raise Passing("the server cannot resume the download")
            if refusal and credentials.is_in_doubt(status):
                raise _TokenRefused
            if refusal:
                raise refusal.error(credentials.cure())
            credentials.note_success()
            transfer.take_up(response)
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                transfer.add(chunk)
            transfer.end()

    def _open(self, url: str, transfer: Transfer, credentials: Credentials, ticket: Ticket) -> requests.Response:
        """The answer at the end of the redirects, which are one request of the budget all together."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._get(url, transfer, credentials)
            transfer.sha256 = transfer.sha256 or _linked_checksum(response)
            if not response.is_redirect:
                return response
            response.close()
            self._windows.note(ticket, response, may_refuse=False)
            url = next_address(url, response.headers["Location"])
            self._windows.check(url, ticket)
        raise AssetError(f"{transfer.name}: more than {MAX_REDIRECTS} redirects")

    def _get(self, url: str, transfer: Transfer, credentials: Credentials) -> requests.Response:
        left = transfer.left_s()
        return self._session.get(
            url,
            headers=transfer.headers(),
            auth=credentials,
            # a proxy would see what is for this machine alone
            proxies={"http": "", "https": ""} if is_loopback(origin(url).host) else None,
            timeout=(min(self._config.connect_timeout_s, left), min(self._config.read_timeout_s, left)),
            stream=True,
            allow_redirects=False,
        )


class _TokenRefused(Exception):
    """The answer may be for the token's sake: the same request is made once more, without it."""


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


def _linked_checksum(response: requests.Response) -> str:
    match = _SHA256.fullmatch(response.headers.get(LINKED_CHECKSUM, ""))
    return match[1] if match else ""
