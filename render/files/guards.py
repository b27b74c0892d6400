"""What is refused before Blender sees an asset: references that leave its folder, textures of hostile size.

Blender follows `../`, takes an http address for a path, and decodes a 20,000 x 20,000 texture into 5 GB, all silently.
Headers alone are read here; no pixel is decoded.
"""

import io
import re
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from pipeline.base.errors import AssetError
from pipeline.values.asset_formats import USD_LAYERS
from pipeline.values.gltf import GltfFile, decode_data_uri, is_data_uri, is_gltf, read_gltf

MTLLIB = re.compile(rb"^[ \t]*mtllib[ \t]+([^\r\n]+)", re.MULTILINE)
USDA_PATH = re.compile(rb"@+([^@\n]+)@+")
MODELS = frozenset({".glb", ".gltf", ".obj", ".mtl", ".ply", ".stl", ".fbx", ".dae", ".off", *USD_LAYERS, ".bin"})


def check(main: Path, max_texture_pixels: int, root: Path | None = None) -> None:
    """Refuse the unpacked asset whose main file is `main` if it is dangerous to load.

    Args:
        root: the folder that it was unpacked into; without one, the main file's own. Names may lead up to it.

    Raises:
        AssetError: the reason.
    """
    root = root or main.parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix.lower() not in MODELS:
            with path.open("rb") as file:
                _check_texture(file, path.name, max_texture_pixels)
    if is_gltf(main):
        _check_gltf(main, max_texture_pixels, root)
    if main.suffix == ".obj":
        for names in MTLLIB.findall(main.read_bytes()):
            _check_reference(names.decode("utf-8", "replace"), main, root)
    for layer in root.rglob("*.usda"):
        for name in USDA_PATH.findall(layer.read_bytes()):
            _check_reference(name.decode("utf-8", "replace"), layer, root)


def _check_gltf(main: Path, max_texture_pixels: int, root: Path) -> None:
    file = read_gltf(main, root)
    for reference in (*file.named("buffers"), *file.named("images")):
        _check_reference(reference, main, root)
    try:
        for image in file.document.get("images", []):
            data = _embedded(image, file)
            if data is not None:
                _check_texture(io.BytesIO(data), f"image {image.get('name', '')!r}", max_texture_pixels)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise AssetError(f"it is not valid glTF: {type(error).__name__}: {error}") from error


def _embedded(image: dict[str, Any], file: GltfFile) -> bytes | None:
    """The encoded bytes of an image inside the document or its binary chunk; None where it lies elsewhere."""
    uri = image.get("uri")
    if uri is not None:
        return decode_data_uri(uri) if is_data_uri(uri) else None
    view = file.document["bufferViews"][image["bufferView"]]
    if "uri" in file.document["buffers"][view["buffer"]]:
        return None  # in a .bin file or a data URI: the importer refuses what does not fit there
    start = view.get("byteOffset", 0)
    return file.binary[start : start + view["byteLength"]]


def _check_reference(reference: str, file: Path, root: Path) -> None:
    """Refuse what `file` names if that cannot lie in `root`."""
    path = PurePosixPath(reference.strip().replace("\\", "/"))
    depth = len(file.relative_to(root).parts) - 1
    ways = accumulate((-1 if part == ".." else 1 for part in path.parts), initial=depth)
    if path.is_absolute() or min(ways) < 0 or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", reference):
        raise AssetError(f"it refers to {reference[:100]!r}, which is not a file in its own folder")


def _check_texture(file: BinaryIO, name: str, max_pixels: int) -> None:
    """What Pillow cannot identify is left to Blender, under the worker's memory limit."""
    try:
        with Image.open(file) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise AssetError(f"texture {name}: {error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return
    if width * height > max_pixels:
        raise AssetError(f"texture {name} has {width} x {height} pixels; render.max_texture_pixels is {max_pixels}")
