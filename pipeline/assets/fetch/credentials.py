"""What the requests for one file carry, so that its server lets them in, and no other server sees it."""

import logging
from collections.abc import Callable
from urllib.parse import unquote

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import Origin, is_private, origin, userinfo
from pipeline.assets.fetch.tokens import cure, service_of, token_for

logger = logging.getLogger(__name__)

# What servers answer to a token that has expired, for files that they give to anybody: the hub 401, GitHub 404.
_OF_BAD_TOKENS = (401, 403, 404)


class Trust:
    """Which servers are known to take the user's token, and which not. May be shared by threads."""

    def __init__(self) -> None:
        self.good: set[Origin] = set()
        self.bad: set[Origin] = set()


class Credentials(AuthBase):
    """Of the first address of a chain of redirects, and for its origin alone.

    They are dropped for good at the first redirect to another scheme, host or port: whoever is asked next, be it the
    same server again, is asked because a stranger said so. Without this, requests would look into ~/.netrc each time.
    """

    def __init__(self, url: str, config: AssetsConfig, trust: Trust, with_token: bool = True):
        """
        Args:
            trust: learns from the answers.
            with_token: False: the server refused this file with the token; it is asked once more, without.

        Raises:
            AssetError: it is not an http(s) address.
            ConfigError: as `token_for`.
        """
        self._url, self._config, self._trust = url, config, trust
        self._place = origin(url)
        self._is_second = not with_token
        self._token = ""
        self._sign = self._signer()
        self._has_left = False  # whether the chain has left the first address's origin

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self._has_left = self._has_left or origin(request.url or "") != self._place
        return request if self._has_left or self._sign is None else self._sign(request)

    def is_in_doubt(self, status: int) -> bool:
        """Whether an answer of this status may be for the token's sake, and another without it."""
        return (
            status in _OF_BAD_TOKENS
            and bool(self._token)
            and not self._has_left
            and self._place not in self._trust.good
        )

    def note_success(self) -> None:
        """The file is there: with the token, or only without it."""
        if self._token:
            self._trust.good.add(self._place)
        elif self._is_second and self._place not in self._trust.bad:
            self._trust.bad.add(self._place)
            service = service_of(self._url, self._config)
            name = service.variable if service else "the token"
            logger.warning("%s does not accept %s (renew it); going on without it", self._place.host, name)

    def cure(self) -> str:
        """What the user can do where a server asks for credentials, or denies access."""
        if self._has_left:
            return "try again later"
        return cure(self._url, self._config, token_sent=bool(self._token) or self._is_second)

    def _signer(self) -> Callable[[PreparedRequest], PreparedRequest] | None:
        if written := userinfo(self._url):
            name, _, password = written.partition(":")
            return HTTPBasicAuth(unquote(name), unquote(password))
        token = token_for(self._url, self._config)
        if token:
            if self._is_second or self._place in self._trust.bad:
                return None
            self._token = token
            return self._bear
        known = None
        if is_private(self._place):
            known = get_netrc_auth(f"{self._place.scheme}://{self._place.host}/")
        return HTTPBasicAuth(*known) if known else None

    def _bear(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
