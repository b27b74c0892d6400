"""One stored file per asset: its own file where that is enough, else a zip of it and its side files."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell


def bundle(fetched: Fetched, target: Path) -> str:
    """Write the file to store for `fetched` to `target`; returns its suffix: the asset's format, or `zip`.

    In a zip all files keep their places, seen from the deepest folder that holds them all; the main file is called
    `asset.FORMAT`, and no other file as high as that has this name. Members are sorted, not compressed and carry no
    times, so that equal files make equal zips, and one content is stored once.

    Raises:
        AssetError: a side file has the main file's name.
    """
    file_format = fetched.main.suffix.removeprefix(".")
    if not fetched.side_files and file_format in ("glb", "ply", "stl", "usdz", "off"):
        shutil.copyfile(fetched.main, target)
        return file_format
    main = fetched.main.with_name(f"asset.{file_format}")
    if any(file.name == main.name and len(file.parts) <= len(main.parts) for file in fetched.side_files):
        raise AssetError(f"{fetched.main.name}: it refers to '{main.name}', the name reserved for the main file")
    files = {main: fetched.main} | {file: file for file in fetched.side_files}
    folder = os.path.commonpath([file.parent for file in files])
    members = {_text(file.relative_to(folder).as_posix()): source for file, source in files.items()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=EARLIEST)
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every machine
            with members[name].open("rb") as source, archive.open(info, "w", force_zip64=True) as packed:
                shutil.copyfileobj(source, packed)
    return "zip"


def _text(name: str) -> str:
    """Folders may have names that are no text, which a zip cannot hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def sha256_of(file: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
