"""One stored file per asset: its own file where that is enough, else a zip of it and its side files."""

import hashlib
import shutil
import zipfile
from pathlib import Path

from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell


def bundle(fetched: Fetched, target: Path) -> str:
    """Write the file to store for `fetched` to `target`; returns its suffix: the asset's format, or `zip`.

    In a zip the main file is `asset.FORMAT`, the side files keep their paths beside it. Members are sorted, not
    compressed and carry no times, so that equal files make equal zips, and one content is stored once.

    Raises:
        AssetError: a side file has the main file's name.
    """
    file_format = fetched.main.suffix.removeprefix(".")
    if not fetched.side_files and file_format in ("glb", "ply", "stl", "usdz"):
        shutil.copyfile(fetched.main, target)
        return file_format
    folder = fetched.main.parent
    members = {file.relative_to(folder).as_posix(): file for file in fetched.side_files}
    main_member = f"asset.{file_format}"
    if main_member in members:
        raise AssetError(f"{fetched.main.name}: it refers to '{main_member}', the name reserved for the main file")
    members[main_member] = fetched.main
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=EARLIEST)
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every machine
            with members[name].open("rb") as source, archive.open(info, "w", force_zip64=True) as packed:
                shutil.copyfileobj(source, packed)
    return "zip"


def sha256_of(file: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
