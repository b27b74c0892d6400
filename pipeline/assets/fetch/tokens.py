"""The user's tokens, and the only servers that get them.

A token belongs to its service's own hosts. Another address gets it only where the user's own environment names it
(`HF_ENDPOINT`), or where it is on this machine: what a corpus, a table or a redirect names may be a stranger's.
"""

import logging
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import Origin, is_loopback, is_private, origin, path_of, shown
from pipeline.base.errors import AssetError, ConfigError

logger = logging.getLogger(__name__)

HUB = "https://huggingface.co"
GITHUB = (
    "https://github.com",
    "https://raw.githubusercontent.com",
    "https://media.githubusercontent.com",
    "https://api.github.com",
)
MAX_TOKEN_CHARACTERS = 10_000
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Service:
    """Whose token a server gets."""

    variable: str  # of the environment, that has the token
    terms: str  # what else its servers may ask for


HUB_SERVICE = Service("HF_TOKEN", ", and accept the dataset's terms on its page, if it has any")
GITHUB_SERVICE = Service("GITHUB_TOKEN", "")


def token_for(url: str, config: AssetsConfig) -> str:
    """The token that a request to `url` may carry; empty: none.

    Raises:
        ConfigError: what should be the token is not one.
    """
    service = service_of(url, config)
    return _token(service) if service else ""


def service_of(url: str, config: AssetsConfig) -> Service | None:
    """Whose token may be sent to `url`."""
    place = _place(url)
    if place is None or not is_private(place):
        return None
    named = [(HUB, HUB_SERVICE), (os.environ.get("HF_ENDPOINT", ""), HUB_SERVICE)]
    named += [(address, GITHUB_SERVICE) for address in GITHUB]
    if is_loopback(place.host):
        named.append((config.endpoint, HUB_SERVICE))
        named += [(address, GITHUB_SERVICE) for address in (config.github, config.github_lfs, config.github_git)]
    here = [(address, service) for address, service in named if _place(address) == place]
    # Two services on one port of this machine are told apart by their folders.
    return max(here, key=lambda entry: _shared_folder(url, entry[0]))[1] if here else None


def announce_withheld(endpoint: str, config: AssetsConfig) -> None:
    """Say it, once, where the hub's token is not sent to the endpoint in use.

    Raises:
        ConfigError: as `token_for`.
    """
    if service_of(endpoint, config) is None and _token(HUB_SERVICE):
        _announce(shown(endpoint), _how_to_allow(endpoint))


def cure(url: str, config: AssetsConfig, token_sent: bool) -> str:
    """What the user can do where the server of `url` asks for credentials, or denies access."""
    service = service_of(url, config)
    if service is None:
        if _place(url) is not None and _place(url) == _place(config.endpoint):
            return _how_to_allow(url)
        return "credentials are taken from ~/.netrc, and sent over https alone"
    if token_sent:
        return f"the token of {service.variable} was sent and is not enough: renew it{service.terms}"
    return f"set {service.variable}{service.terms}"


def _how_to_allow(endpoint: str) -> str:
    place = _place(endpoint)
    if place is not None and not is_private(place):
        return "tokens are sent over https alone"
    return "to allow it, name this address in the environment variable HF_ENDPOINT"


@cache
def _announce(endpoint: str, cure: str) -> None:
    logger.warning("%s: HF_TOKEN is not sent to this address, which is not the hub's; %s", endpoint, cure)


def _place(url: str) -> Origin | None:
    try:
        return origin(url)
    except AssetError:
        return None


def _shared_folder(url: str, base: str) -> int:
    folder = path_of(base).rstrip("/")
    return len(folder) if f"{path_of(url)}/".startswith(f"{folder}/") else -1


def _token(service: Service) -> str:
    token = os.environ.get(service.variable, "").strip()
    source = service.variable
    if service is HUB_SERVICE and not token and not _no_implicit_token():
        file = _token_file()
        token, source = _read(file), str(file)
    if token and not (_TOKEN.fullmatch(token) and len(token) <= MAX_TOKEN_CHARACTERS):
        raise ConfigError(f"{source}: it holds no token: a token is one word of ASCII characters")
    return token


def _no_implicit_token() -> bool:
    """The hub library's switch for those who keep a token, but do not want it sent unasked."""
    return os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in ("1", "ON", "YES", "TRUE")


def _token_file() -> Path:
    """Where the hub's library keeps the token of `hf auth login`."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(caches, "huggingface"))
    path = os.environ.get("HF_TOKEN_PATH") or str(Path(home, "token"))
    return Path(os.path.expandvars(path)).expanduser()


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as text:
            return text.read(MAX_TOKEN_CHARACTERS + 1).strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: the hub's token cannot be read ({type(error).__name__}); mend it, or set HF_TOKEN"
        ) from None
