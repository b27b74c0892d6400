"""A stored asset, unpacked into a folder: a plain file, or a .zip with `asset.FORMAT` and what it needs around it."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from pipeline.base.errors import AssetError
from pipeline.store.full_disk import is_full
from pipeline.values.asset_formats import ASSET_FORMATS, USD_LAYERS

MAX_FILES = 10_000
MAX_UNPACKED_BYTES = 4 * 1024**3


def unpack(file: Path, asset_format: str, folder: Path) -> Path:
    """Put the asset into the empty `folder`; returns its main file: `asset.FORMAT`, of USDZ the first layer.

    In a zip file it may lie at any depth, since it may name files above itself; the shallowest one is meant.

    Raises:
        AssetError: unknown format, not a zip file, no main file inside or several, a member that would land outside of
            `folder`, or more bytes than `MAX_UNPACKED_BYTES`.
    """
    if asset_format not in ASSET_FORMATS:
        raise AssetError(f"format {asset_format!r} cannot be rendered; these can: {', '.join(ASSET_FORMATS)}")
    name = f"asset.{asset_format}"
    if file.suffix == ".zip":
        return folder / _main_member(_unzip(file, folder), name)
    if asset_format == "usdz":  # a zip file itself; its textures are files for Blender then, checked like others
        return _unpack_usdz(file, folder)
    shutil.copyfile(file, folder / name)
    return folder / name


def _main_member(members: list[str], name: str) -> PurePosixPath:
    found = sorted((path for path in map(_path, members) if path.name == name), key=lambda path: len(path.parts))
    if not found:
        raise AssetError(f"its bundle has no {name}")
    if len(found) > 1 and len(found[1].parts) == len(found[0].parts):
        raise AssetError(f"its bundle has several {name}: {str(found[0])[:100]!r} and {str(found[1])[:100]!r}")
    return found[0]


def _path(member: str) -> PurePosixPath:
    return PurePosixPath(member.replace("\\", "/"))


def _unpack_usdz(file: Path, folder: Path) -> Path:
    first = next(iter(_unzip(file, folder)), "")
    if not first.endswith(USD_LAYERS) or "/" in first:
        raise AssetError(f"its first member {first[:80]!r} is not a USD layer at the top of the archive")
    return folder / first


def _unzip(file: Path, folder: Path) -> list[str]:
    """Unpack a zip file; returns the names of its members that are files.

    Raises:
        OSError: no more can be written here, which is not the asset's fault.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _extract(archive, folder)
            return [member.filename for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if is_full(error):
            raise
        raise AssetError(f"its bundle cannot be unpacked: {error}") from error


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MAX_FILES:
        raise AssetError(f"its bundle holds {len(members)} files; the limit is {MAX_FILES}")
    for member in members:
        path = _path(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise AssetError(f"its bundle holds {member.filename!r}, which would be extracted outside its folder")
    room = MAX_UNPACKED_BYTES
    for member in members:
        target = folder / _path(member.filename)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as sink:
            # The sizes in the directory may lie: count what really comes out.
            while block := source.read(1 << 20):
                room -= len(block)
                if room < 0:
                    raise AssetError(f"its bundle unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                sink.write(block)
