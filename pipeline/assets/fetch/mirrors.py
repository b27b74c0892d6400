"""The addresses that settings name in the place of the hub and of GitHub, and those of them that are on a disk.

A mirror on a disk has a `file://` address. Settings alone may name one, and no path below it leads out of its folder.
"""

import os
import stat
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import check_address, shown, userinfo
from pipeline.assets.fetch.tokens import HUB
from pipeline.base.errors import AssetError, ConfigError, Missing

MIRRORED = ("endpoint", "github", "github_lfs")


def hub_address(config: AssetsConfig) -> str:
    """Of the hub, or of a mirror of it: `assets.endpoint`, else HF_ENDPOINT, else the hub itself."""
    return (config.endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def check_settings(config: AssetsConfig) -> None:
    """Refuse settings that name no server or mirror, or a password, which would be kept in corpus.json.

    Raises:
        ConfigError: one of them does.
    """
    for name in (*MIRRORED, "github_git"):
        address = getattr(config, name)
        if userinfo(address):
            raise ConfigError(
                f"assets.{name}: {shown(address)}: a user or password in this address would be kept in corpus.json; "
                "write it into ~/.netrc"
            )
        if name in MIRRORED and address and not is_mirror(address):
            try:
                check_address(address)
            except AssetError as error:
                raise ConfigError(f"assets.{name}: {error}; a mirror on a disk is written file:///folder") from error


def is_mirror(address: str) -> bool:
    """Whether it is the address of a file or folder on a disk."""
    return address[:5].lower() == "file:"


def mirror_folder(address: str, setting: str) -> Path:
    """The folder that a setting's `file://` address names, its links resolved.

    Raises:
        ConfigError: it is no absolute path, or there is no such folder.
    """
    try:
        parts = urlsplit(address)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute():
            raise ConfigError(f"{setting}: '{address}': a mirror on a disk is written file:///folder")
        if not path.is_dir():
            raise ConfigError(f"{setting}: '{address}': there is no folder {path}")
        return path.resolve()
    except (ValueError, OSError, RuntimeError) as error:  # zero bytes, names that are too long, loops of links
        raise ConfigError(f"{setting}: '{address}' is not the address of a folder ({error})") from error


def mirror_address(folder: Path, path: str) -> str:
    """The `file://` address of a file below a mirror's folder."""
    return f"file://{quote(str(folder))}/{quote(path)}"


class Mirrors:
    """The folders below which files are taken from the disk instead of the network."""

    def __init__(self, config: AssetsConfig):
        self._config = config

    @cached_property
    def _folders(self) -> list[Path]:
        """Looked up when the first file is asked for: a source may not use all of them."""
        named = {"assets.endpoint": hub_address(self._config)}
        named |= {f"assets.{name}": getattr(self._config, name) for name in MIRRORED[1:]}
        return [mirror_folder(address, name) for name, address in named.items() if is_mirror(address)]

    def find(self, address: str) -> Path:
        """The file at a `file://` address, its links resolved.

        Raises:
            Missing: there is no such file.
            AssetError: it is not below a folder that the settings name, or not a plain file.
            ConfigError: there is no such folder.
        """
        try:
            path = Path(unquote(urlsplit(address).path))
            found = path.resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            self._check_inside(address, path.resolve())
            raise Missing(f"{shown(address)}: there is no such file in the mirror") from None
        except (ValueError, OSError, RuntimeError) as error:
            raise AssetError(f"{shown(address)}: the file cannot be opened ({type(error).__name__})") from None
        self._check_inside(address, found)
        return found

    def open(self, address: str) -> BinaryIO:
        """The opened file.

        Raises:
            Missing, AssetError, ConfigError: as `find`.
        """
        try:
            # a pipe in the place of a file would be waited for without O_NONBLOCK
            number = os.open(self.find(address), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            raise AssetError(f"{shown(address)}: the file cannot be opened ({error.strerror})") from None
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise AssetError(f"{shown(address)}: it is not a plain file")
        return os.fdopen(number, "rb")

    def _check_inside(self, address: str, path: Path) -> None:
        if not self._folders:
            raise AssetError(f"'{shown(address)}' is not an http(s) URL, and nothing else is fetched")
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise AssetError(f"{shown(address)}: it is not below a folder that the settings name as a mirror")
