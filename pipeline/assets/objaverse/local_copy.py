"""Copies of Objaverse 1.0 on a disk, whose files are used instead of fetching them."""

import logging
import os
import re
import shutil
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.assets.config import AssetsConfig
from pipeline.assets.files.bundle import sha256_of
from pipeline.assets.files.gather import AssetFiles, gather
from pipeline.assets.objaverse.readers import LVIS, OBJECT_PATHS
from pipeline.assets.sources import Fetched
from pipeline.base.errors import AssetError, ConfigError

logger = logging.getLogger(__name__)

PACKAGE_CACHE = "hf-objaverse-v1"  # below ~/.objaverse
HUB_CACHE = "datasets--allenai--objaverse"  # below the hub library's cache; revisions are folders of links to its blobs
FOLDER = re.compile(r"[0-9]{3}-[0-9]{3}")
_GLB_HEADER = struct.Struct("<4sII")  # magic, version, length of the whole file
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LocalCopy:
    """The copies that `assets.local` names, comma-separated; none: nothing is ever found. May be shared by threads."""

    def __init__(self, config: AssetsConfig, revision: str):
        """Find the dataset in each of the folders.

        Args:
            revision: the one that is planned; of several in a hub library's cache it is taken first.

        Raises:
            ConfigError: a folder is not there, or holds nothing of the dataset.
        """
        given = [part.strip() for part in config.local.split(",") if part.strip()]
        self.roots = [_dataset_in(part, revision) for part in given]
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def files(self, path: str) -> list[Path]:
        """Where the copies have a file of the dataset (`metadata/000-023.json.gz`), whole or not."""
        return [file for root in self.roots if (file := _inside(root, root / path))]

    def tell_lacking(self, folders: Mapping[str, list[str]]) -> None:
        """Warn of objects (folder -> uids) of which no copy has a file, whole or not: they will be fetched."""
        if not self.roots:
            return
        lacking = [uid for folder, uids in folders.items() for uid in sorted(set(uids) - self._uids(folder))]
        if lacking:
            logger.warning(
                "assets.local: %d of %d objects are not in the copy and will be fetched; %s is the first",
                *(len(lacking), sum(map(len, folders.values())), lacking[0]),
            )

    def _uids(self, folder: str) -> set[str]:
        """The uids of which there is a file in a folder (`000-023`) of a copy."""
        names: list[str] = []
        for place in (root / "glbs" / folder for root in self.roots):
            try:
                names += [entry.name for entry in os.scandir(place)]
            except FileNotFoundError:
                continue
            except OSError as error:
                self.note_fault(place, f"it cannot be read ({error.strerror or error})")
        return {name.removesuffix(".glb") for name in names if name.endswith(".glb")}

    def find(self, folder: str, uid: str, sha256: str) -> Path | None:
        """The file of an object: whole, and the right one as far as its checksum is known (64 hex digits, or empty).

        What is there and cannot be used is told in the log.
        """
        for root in self.roots:
            file = root / "glbs" / folder / f"{uid}.glb"
            try:
                fault = _fault(root, file, sha256)
            except OSError as error:
                fault = f"it cannot be read ({error.strerror or error})"
            if fault is None:
                return file
            if fault:
                self.note_fault(file, fault)
        return None

    def take(self, folder: str, uid: str, sha256: str, target: Path, max_bytes: int) -> Fetched | None:
        """Place the file of an object (see `find`) in the empty folder `target`, as one that was fetched; None: no copy
        has it."""
        if not self.roots:
            return None
        fetched = None
        file = self.find(folder, uid, sha256)
        if file:
            try:
                fetched = gather(file.name, _OneFile(file), target, max_bytes)
            except (AssetError, OSError) as error:
                self.note_fault(file, str(error))
                shutil.rmtree(target)
                target.mkdir()
        with self._lock:
            self._counts["taken" if fetched else "fetched"] += 1
        return fetched

    def close(self) -> None:
        """Tell in the log what was taken."""
        taken, fetched, faulty = (self._counts[name] for name in ("taken", "fetched", "faulty"))
        if fetched:
            logger.warning(
                "assets.local: %d objects were taken from the copy; "
                "%d were fetched, as it lacks them or has them damaged (%d)",
                *(taken, fetched, faulty),
            )
        elif taken:
            logger.info("assets.local: all %d objects were taken from the copy", taken)

    def note_fault(self, file: Path, fault: str) -> None:
        """Count what cannot be used; the first of it is a warning."""
        with self._lock:
            self._counts["faulty"] += 1
            is_first = self._counts["faulty"] == 1
        logger.log(logging.WARNING if is_first else logging.INFO, "assets.local: %s is not used: %s", file, fault)


class _OneFile(AssetFiles):
    """An asset of one file, whatever lies beside it."""

    def __init__(self, file: Path):
        self._file = file

    def size(self, path: PurePosixPath) -> int | None:
        return self._file.stat().st_size if str(path) == self._file.name else None

    def copy(self, path: PurePosixPath, local: Path) -> None:
        shutil.copyfile(self._file, local)


def _dataset_in(given: str, revision: str) -> Path:
    """The folder of the dataset's files that a person means by `given`, its own links resolved."""
    try:
        folder = Path(given).expanduser()
    except RuntimeError:  # nobody has this home
        folder = Path(given)
    if not folder.is_dir():
        raise ConfigError(f"assets.local: '{given}' is not a folder")
    places = [folder, folder / PACKAGE_CACHE, folder.parent]
    for repository in (folder, folder / HUB_CACHE, folder / "hub" / HUB_CACHE):
        snapshots = sorted((repository / "snapshots").glob("*"))
        places += sorted(snapshots, key=lambda snapshot: snapshot.name != revision)
    found = next((place for place in places if _holds_dataset(place)), None)
    if found is None or (found == folder.parent and folder.name not in ("glbs", "metadata")):
        raise ConfigError(
            f"assets.local: '{given}' holds nothing of Objaverse 1.0: there is no {OBJECT_PATHS}, no "
            "metadata/000-000.json.gz and no glbs/000-000/UID.glb in it"
        )
    found = found.resolve()
    if found.parent.name == "snapshots" and found.name != revision:
        logger.warning("assets.local: %s is of revision %s; the dataset is planned at %s", given, found.name, revision)
    return found


def _holds_dataset(folder: Path) -> bool:
    if any((folder / name).is_file() for name in (OBJECT_PATHS, LVIS)):
        return True
    folders = (path for path in (folder / "glbs").glob("*") if FOLDER.fullmatch(path.name))
    return any(folders) or any((folder / "metadata").glob("*.json.gz"))


def _inside(root: Path, file: Path) -> Path | None:
    """Where a file of a copy really lies; None if that is not in the copy, nor among the blobs of its snapshot."""
    real = file.resolve()
    blobs = [root.parents[1] / "blobs"] if root.parent.name == "snapshots" else []
    allowed = any(real.is_relative_to(place.resolve()) for place in (root, *blobs))
    return real if allowed and real.is_file() else None


def _fault(root: Path, file: Path, sha256: str) -> str | None:
    """What is wrong with an object's file in a copy: None if nothing is, empty if it is not there."""
    if not file.is_file():
        return "it is a link to nothing" if file.is_symlink() else ""
    real = _inside(root, file)
    if real is None:
        return "it is a link that leaves the copy; name the folder that it leads to in assets.local, too"
    with real.open("rb") as stream:
        header = stream.read(_GLB_HEADER.size)
    size = real.stat().st_size
    if len(header) < _GLB_HEADER.size or not header.startswith(b"glTF"):
        return "it does not start as a GLB file"
    length = _GLB_HEADER.unpack(header)[2]
    if length != size:
        return f"it has {size} bytes, its header says {length}"
    # The hub library names its blobs of large files by their checksums.
    expected = sha256 or (real.name if real.parent.name == "blobs" and _SHA256.fullmatch(real.name) else "")
    if expected and sha256_of(real) != expected.lower():
        return f"its SHA-256 is not {expected}"
    return None
