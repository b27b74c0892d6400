"""What the requests for one file carry, so that its server lets them in, and no other server sees it."""

from collections.abc import Callable
from urllib.parse import unquote

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth

from pipeline.assets.addresses import is_private, origin, userinfo
from pipeline.assets.config import AssetsConfig
from pipeline.assets.tokens import cure, token_for


class Credentials(AuthBase):
    """Of the first address of a chain of redirects, and for its origin alone.

    They are dropped for good at the first redirect to another scheme, host or port: whoever is asked next, be it the
    same server again, is asked because a stranger said so. Without this, requests would look into ~/.netrc each time.
    """

    def __init__(self, url: str, config: AssetsConfig):
        """
        Raises:
            AssetError: it is not an http(s) address.
        """
        self._url, self._config = url, config
        self._place = origin(url)
        self._token = ""
        self._sign = self._signer()
        self.left = False  # whether the chain has left the first address's origin

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self.left = self.left or origin(request.url or "") != self._place
        return request if self.left or self._sign is None else self._sign(request)

    def _signer(self) -> Callable[[PreparedRequest], PreparedRequest] | None:
        if written := userinfo(self._url):
            name, _, password = written.partition(":")
            return HTTPBasicAuth(unquote(name), unquote(password))
        self._token = token_for(self._url, self._config)
        if self._token:
            return self._bear
        known = None
        if is_private(self._place):
            known = get_netrc_auth(f"{self._place.scheme}://{self._place.host}/")
        return HTTPBasicAuth(*known) if known else None

    def _bear(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def cure(self) -> str:
        """What the user can do where a server asks for credentials, or denies access."""
        return "try again later" if self.left else cure(self._url, self._config, bool(self._token))
