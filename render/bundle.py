"""A stored asset, unpacked into a folder: a plain file, or a .zip with `asset.FORMAT` and what it needs beside it."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from pipeline.errors import AssetError

FORMATS = ("glb", "gltf", "obj", "ply", "stl", "fbx")
MAX_FILES = 10_000
MAX_UNPACKED_BYTES = 4 * 1024**3


def unpack(file: Path, asset_format: str, folder: Path) -> Path:
    """Put the asset into the empty `folder`; returns its main file, `folder/asset.FORMAT`.

    Raises:
        AssetError: unknown format, not a zip file, no main file inside, a member that would land outside of `folder`,
            or more bytes than `MAX_UNPACKED_BYTES`.
    """
    if asset_format not in FORMATS:
        raise AssetError(f"format {asset_format!r} cannot be rendered; these can: {', '.join(FORMATS)}")
    main = folder / f"asset.{asset_format}"
    if file.suffix != ".zip":
        shutil.copyfile(file, main)
        return main
    try:
        with zipfile.ZipFile(file) as archive:
            _extract(archive, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise AssetError(f"its bundle cannot be unpacked: {error}") from error
    if not main.is_file():
        raise AssetError(f"its bundle holds no {main.name}")
    return main


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MAX_FILES:
        raise AssetError(f"its bundle holds {len(members)} files; the limit is {MAX_FILES}")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise AssetError(f"its bundle holds {member.filename!r}, which would land outside of its folder")
    room = MAX_UNPACKED_BYTES
    for member in members:
        target = folder / member.filename.replace("\\", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as sink:
            # The sizes in the directory may lie: count what really comes out.
            while block := source.read(1 << 20):
                room -= len(block)
                if room < 0:
                    raise AssetError(f"its bundle unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                sink.write(block)
