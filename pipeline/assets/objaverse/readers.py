"""The two readers of Objaverse 1.0's files: the package `objaverse`, where it is installed, and our own.

Either reads one file that is there; fetching it is not a reader's business. What they give is equal, and is checked by
whoever asks for it.

The package fetches from a moving branch, without time limit, and keeps what came, whole or not. So it runs as a copy of
its own module, whose cache is a folder with that one file in it, and in which no address can be opened.
"""

import gzip
import importlib.metadata
import importlib.util
import json
import logging
import tempfile
import zlib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn, Protocol

from pydantic import ValidationError

from pipeline.assets.objaverse.annotations import ANNOTATIONS
from pipeline.base.errors import ConfigError

logger = logging.getLogger(__name__)

OBJECT_PATHS = "object-paths.json.gz"
LVIS = "lvis-annotations.json.gz"
MAX_UNPACKED_BYTES = 500_000_000
PACKAGE = "objaverse"
KNOWN_VERSIONS = "0.1."
NEEDED = ("_VERSIONED_PATH", "_load_object_paths", "load_annotations", "load_lvis_annotations", "urllib", "tqdm")


def metadata_path(folder: str) -> str:
    """Where the annotations of a folder's objects are: `000-023` -> `metadata/000-023.json.gz`."""
    return f"metadata/{folder}.json.gz"


class Reader(Protocol):
    """Reads the dataset's gzipped JSON files: objects, of which nothing else is known yet.

    Every method raises ValueError, in one line, for a file that is damaged, too large or holds no JSON object.
    """

    def object_paths(self, file: Path) -> dict[str, Any]:
        """uid -> path of its file."""

    def lvis(self, file: Path) -> dict[str, Any]:
        """Category -> uids."""

    def annotations(self, file: Path, folder: str, uids: list[str]) -> dict[str, Any]:
        """uid -> annotation, of those objects of one folder that have one; or of more."""


class OwnReader:
    """Reads with pydantic: of annotations, only what is used."""

    def object_paths(self, file: Path) -> dict[str, Any]:
        return _object(unpacked(file))

    def lvis(self, file: Path) -> dict[str, Any]:
        return _object(unpacked(file))

    def annotations(self, file: Path, folder: str, uids: list[str]) -> dict[str, Any]:
        data = unpacked(file)
        try:
            return dict(ANNOTATIONS.validate_json(data))
        except ValidationError:  # slower, but one object of a wrong form does not take the others with it
            return _object(data)


class PackageReader:
    """Reads by the functions of the package `objaverse`."""

    def __init__(self, spec: ModuleSpec):
        self._spec = spec

    def object_paths(self, file: Path) -> dict[str, Any]:
        return self._call("_load_object_paths", file, OBJECT_PATHS)

    def lvis(self, file: Path) -> dict[str, Any]:
        return self._call("load_lvis_annotations", file, LVIS)

    def annotations(self, file: Path, folder: str, uids: list[str]) -> dict[str, Any]:
        # It looks up each uid's folder in all 800,000 paths, which it would read again for every folder.
        known = {"_load_object_paths": lambda: {uid: f"glbs/{folder}/{uid}.glb" for uid in uids}}
        return self._call("load_annotations", file, metadata_path(folder), uids, **known)

    def _call(self, name: str, file: Path, path: str, *arguments: Any, **known: Any) -> dict[str, Any]:
        """What a function of the package says, in whose cache `file` lies at `path`, and nothing else does."""
        if not unpacked(file).lstrip().startswith(b"{"):  # it has no limits, and takes whatever it finds
            raise ValueError("it holds no JSON object")
        with tempfile.TemporaryDirectory(prefix="objaverse-") as root:
            link = Path(root, path)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(file.absolute())
            module = _confined(self._spec, Path(root))
            vars(module).update(known)
            try:
                found: dict[str, Any] = getattr(module, name)(*arguments)
            except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ValueError(f"the package {PACKAGE} cannot read it, {reason}") from error
        return found


def chosen_reader() -> Reader:
    """The package's reader where the package is installed, else our own; the log says which."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except ValueError:  # somebody put a module of that name together by hand
        spec = None
    if spec is None or not spec.origin:  # a folder of that name in the working directory is no package
        logger.info("Objaverse's files are read by the pipeline's own reader: the package objaverse is not installed")
        return OwnReader()
    try:
        version = importlib.metadata.version(PACKAGE)
        lacking = [name for name in NEEDED if not hasattr(_confined(spec, Path()), name)]
        fault = f"it has no {', '.join(lacking)}" if lacking else ""
        fault = fault or ("" if version.startswith(KNOWN_VERSIONS) else f"its version {version} is not known")
    except Exception as error:  # whatever goes wrong in a package of others
        fault = f"it cannot be imported ({error})"
    if fault:
        logger.warning("Objaverse's files are read by the pipeline's own reader, not the package objaverse: %s", fault)
        return OwnReader()
    logger.info("Objaverse's files are read by the package objaverse %s", version)
    return PackageReader(spec)


def _confined(spec: ModuleSpec, root: Path) -> ModuleType:
    """A new copy of the package's module, to which `root` is its cache, and which opens no address.

    The module that others import stays as it is, and threads have one each.
    """
    module = importlib.util.module_from_spec(spec)
    if spec.loader is None:
        raise ImportError(f"{PACKAGE} has no loader")
    spec.loader.exec_module(module)
    refusing = SimpleNamespace(urlretrieve=_refuse, urlopen=_refuse)
    confined = {"urllib": SimpleNamespace(request=refusing), "tqdm": lambda items, **_: items}
    confined |= {"BASE_PATH": str(root.parent), "_VERSIONED_PATH": str(root)}
    vars(module).update({name: value for name, value in confined.items() if hasattr(module, name)})
    return module


def _refuse(address: str, *_: Any, **__: Any) -> NoReturn:
    raise ConfigError(
        f"assets: the package objaverse wants to fetch {address}, which it must not do here; uninstall it, and the "
        "pipeline's own reader is used"
    )


def unpacked(file: Path) -> bytes:
    """The content of a gzipped file.

    Raises:
        ValueError: it is damaged or too large.
    """
    try:
        with gzip.open(file) as packed:
            data = packed.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:  # gzip's own error is an OSError
        raise ValueError(f"it cannot be unpacked, {error}") from error
    if len(data) > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON, {' '.join(str(error).split())[:200]}") from error
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value
