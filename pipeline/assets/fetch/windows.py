"""Keeps to the servers' limits of requests: one pause for a server, for all threads and processes of this machine."""

import logging
import os
import random
import time

import requests

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import Origin, origin
from pipeline.assets.fetch.rate_limits import read_rate_limits
from pipeline.assets.fetch.tokens import HUB, token_for
from pipeline.assets.fetch.window import HOUR_S, LOOK_AGAIN_S, Window
from pipeline.assets.fetch.window_files import WindowFiles

logger = logging.getLogger(__name__)

# for one file, in all; the minute is for clocks, and for a limit that is renewed once an hour
LONGEST_WAIT_S = HOUR_S + 60
# What the hub publishes: requests for files in 5 minutes, without a token and with one.
HUB_LIMITS, HUB_WINDOW_S = (3000, 5000), 300.0
TOO_MANY = 429
# with `Retry-After`, or with nothing left: what overloaded servers and GitHub say in its place
OTHER_REFUSALS = frozenset({403, 408, 425, 500, 502, 503, 504})


class Closed(Exception):
    """A server takes no request for a while; `is_refusal`: it was asked, and said so."""

    def __init__(self, server: str, wait_s: float, why: str, is_refusal: bool = False):
        super().__init__(f"{server} takes no requests for {wait_s:.0f} s ({why})")
        self.server, self.wait_s, self.why, self.is_refusal = server, wait_s, why, is_refusal


class Ticket:
    """One request that was counted. It ends with the answer, or without one where its `with` block is left before."""

    def __init__(self, windows: "Windows", server: Origin, number: int):
        self.server, self.number, self.sent_at = server, number, time.time()
        self._windows = windows
        self.is_answered = False

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_answered:
            self._windows.end(self)


class Windows:
    """The limits of all servers; may be shared by threads."""

    def __init__(self, config: AssetsConfig):
        self._config = config
        self._files = WindowFiles()

    def enter(self, url: str) -> Ticket:
        """Count a request that is about to be sent.

        Raises:
            Closed: it must not be sent yet.
        """
        server = origin(url)
        is_hub = server == origin(HUB)
        with self._files.change(server, create=is_hub) as window:
            if window is None:  # nothing is known of a limit
                return Ticket(self, server, 0)
            if is_hub and not window.limit:
                window.limit, window.length_s = HUB_LIMITS[bool(token_for(url, self._config))], HUB_WINDOW_S
            wait = window.reserve(time.time(), self._config.rate_share)
            if not wait:
                return Ticket(self, server, window.sent)
            closed = self._tell(server, window, wait)
        raise closed

    def check(self, url: str, ticket: Ticket) -> None:
        """Where a request was redirected to: it is not counted again, but not sent to another server that is closed.

        Raises:
            Closed: the server takes no requests.
        """
        server = origin(url)
        if server == ticket.server:
            return
        with self._files.change(server, create=False) as window:
            wait = window.closed_until - time.time() if window else 0.0
            closed = self._tell(server, window, wait) if window and wait > 0 else None
        if closed:
            raise closed

    def note(self, ticket: Ticket, response: requests.Response, may_refuse: bool = True) -> None:
        """Take note of an answer: to the ticket's request, or to one that it was redirected to.

        Args:
            may_refuse: whether the answer can be a refusal for want of requests.

        Raises:
            Closed: the server refused the request, and takes none for a while.
        """
        server, said, status = origin(response.url), read_rate_limits(response.headers), response.status_code
        is_own = server == ticket.server
        is_asked = said.retry_after_s is not None or said.left == 0
        is_refused = may_refuse and (status == TOO_MANY or (status in OTHER_REFUSALS and is_asked))
        ticket.is_answered = ticket.is_answered or is_own
        with self._files.change(server, create=is_refused or said.left is not None) as window:
            if window is None:
                return
            now = time.time()
            if is_own and not ticket.number:  # sent before anything was known of a limit, and counted now
                window.sent += 1
                ticket.number = window.sent
            if not is_refused and is_own:
                window.answered(ticket.sent_at)
            if is_refused:
                window.refuse(now, said, ticket.sent_at, self._config.backoff_s)
            window.learn(now, said, ticket.number if is_own else window.sent)
            closed = self._tell(server, window, max(window.closed_until - now, LOOK_AGAIN_S), is_refused)
        if is_refused:
            raise closed

    def end(self, ticket: Ticket) -> None:
        """Note that a request had no answer: nobody waits for it any longer."""
        with self._files.change(ticket.server, create=False) as window:
            if window is not None:
                window.answered(ticket.sent_at)

    def _tell(self, server: Origin, window: Window, wait_s: float, is_refusal: bool = False) -> Closed:
        """What the wait is; and of a pause, one line for all the processes that a command has."""
        if time.time() < window.closed_until and window.tell(os.getpgrp()):
            logger.warning("%s: %s; its downloads wait %.0f s", server.host, window.why, wait_s)
        return Closed(server.host, wait_s, window.why, is_refusal)


def spread_s(wait_s: float) -> float:
    """What one of many waits longer than the others, so that they do not come back all at once."""
    return random.uniform(0, min(10.0, LOOK_AGAIN_S + wait_s / 20))
