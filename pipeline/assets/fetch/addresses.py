"""Addresses of files: which are fetched, where they lead, and how they are named in messages.

An address may carry secrets: a password before the host, a signature in the query. `shown` is what messages name.
"""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from pipeline.base.errors import AssetError

PORTS = {"http": 80, "https": 443}
SHOWN_CHARACTERS = 300
_USERINFO = re.compile(r"(?<=//)[^\\/?#]*@")
_USER_AT_A_WEB_SERVER = re.compile(r"(https?://)[^/,\s]*@", re.IGNORECASE)
_PASSWORD = re.compile(r"(://)[^/,@:\s]*:[^/,\s]*@")
_QUERY = re.compile(r"(https?://[^?,\s]*)\?[^,\s]*", re.IGNORECASE)
# What signs an address at S3, Google, Azure, CloudFront and others, and what people call their keys.
_KEY = re.compile(
    r"(?i)^(x-amz-|x-goog-)|sig|token|secret|passw|credential|auth|session|api.?key|access.?key|key-pair|policy|expires"
    r"|^(key|pass|pwd|se|sp|sr|st|sv|ske|skoid|sks|skt|sktid|skv|spr|jwt)$"
)
KEY_CHARACTERS = 40  # a longer value may be a key, whatever its name; the name of a file is in the path
_BREAKS = re.compile(r"[^\x21-\x7e\u00a1-\U0010ffff]+")  # controls and spaces: a message is one line


class Origin(NamedTuple):
    """Whom an address belongs to. Credentials of one origin are for no other."""

    scheme: str
    host: str  # lower-case; IPv6 in brackets
    port: int


def origin(url: str) -> Origin:
    """As the library that connects reads the address: other parsers find another host in `https://a\\@b/`.

    Raises:
        AssetError: it is not an http(s) address.
    """
    parts = _parsed(url)
    if parts is None or parts.scheme not in PORTS or not parts.host or parts.host == "[]":
        raise AssetError(f"'{shown(url)}' is not an http(s) URL, and nothing else is fetched")
    return Origin(parts.scheme, parts.host.lower(), parts.port or PORTS[parts.scheme])


def check_address(url: str) -> None:
    """Refuse what is not an http(s) address.

    Raises:
        AssetError: it has another scheme, or no host.
    """
    origin(url)


def userinfo(url: str) -> str:
    """`NAME:PASSWORD`, percent-encoded, of an address that carries them; else empty."""
    parts = _parsed(url)
    return (parts.auth or "") if parts else ""


def path_of(url: str) -> str:
    """The path of an address, as it is written; empty: none."""
    parts = _parsed(url)
    return (parts.path or "") if parts else ""


def next_address(url: str, location: str) -> str:
    """Where a redirect of `url` leads.

    Raises:
        AssetError: not to an http(s) address, or from https to http.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location  # which is no address, either
    if origin(url).scheme == "https" and origin(target).scheme != "https":
        raise AssetError(
            f"{shown(url)}: it redirects from https to {shown(target)}, which is not protected against tampering"
        )
    check_address(target)
    return target


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_private(place: Origin) -> bool:
    """Whether nobody on the way reads what is sent there."""
    return place.scheme == "https" or is_loopback(place.host)


def shown(url: str) -> str:
    """The address for people: without user, password and query, in one line."""
    address, _, query = _BREAKS.sub(" ", url).partition("#")[0].partition("?")
    parts = _parsed(url)
    if parts is not None and parts.host:
        address = _USERINFO.sub("", address, count=1)
    elif "@" in address:  # what stands before it in something that is no address may be a password all the same
        address = f"{address.partition(':')[0]}:…{address.rpartition('@')[2]}"
    text = f"{address}?…" if query else address
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def public(url: str) -> str:
    """The address as it is published: without user and password, and without what signs it.

    The rest of the query stays, for it may be what names the file (`download?id=7`).
    """
    parts = _parsed(url)
    if parts is None or parts.scheme not in PORTS:
        return url
    query = "&".join(each for each in (parts.query or "").split("&") if each and not _signs(*each.partition("=")[::2]))
    plain = parts._replace(auth=None, query=query or None, fragment=None)
    return url if not parts.auth and query == (parts.query or "") else plain.url


def _signs(name: str, value: str) -> bool:
    """Whether a parameter of an address is, or may be, a key to it."""
    return len(value) > KEY_CHARACTERS or _KEY.search(unquote(name)) is not None


def without_secrets(text: str) -> str:
    """A setting of one address or path, or of several with commas between them, as it is stored.

    Unlike `shown` it leaves what holds no secret as it is: paths on a disk, names of buckets and of accounts.
    """
    for pattern in (_USER_AT_A_WEB_SERVER, _PASSWORD, _QUERY):
        text = pattern.sub(r"\1", text)
    return text


def _parsed(url: str) -> Url | None:
    try:
        return parse_url(url)
    except LocationParseError:
        return None
