"""Images taken out of a glTF document: those that the file names and does not bring."""

from typing import Any
from urllib.parse import unquote

from pipeline.values.gltf import Document

WHITE_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


def remove_images(document: Document, names: set[str]) -> None:
    """Take every use of the images called `names` (paths, percent-decoded) out of the document's materials.

    The images' own entries stay, as a white pixel that nothing uses, so that no index shifts.
    """
    images = set()
    for index, image in enumerate(document.get("images", [])):
        if unquote(image.get("uri", "")) in names:
            images.add(index)
            image["uri"] = WHITE_PIXEL
    textures = {index for index, texture in enumerate(document.get("textures", [])) if _shows(texture, images)}
    _remove_references(document.setdefault("materials", []), textures)


def _shows(texture: Document, images: set[int]) -> bool:
    """Whether a texture may show one of the images: as its own, or by an extension (WebP, Basis Universal)."""
    extensions = texture.get("extensions")
    entries = [texture, *(extensions.values() if isinstance(extensions, dict) else ())]
    return any(isinstance(entry, dict) and _is_one_of(entry.get("source"), images) for entry in entries)


def _remove_references(materials: Any, textures: set[int]) -> None:
    """Delete what refers to one of the textures, however deep it lies. Without recursion: assets are hostile."""
    pending = [materials]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key in [key for key, value in node.items() if _refers(key, value, textures)]:
                del node[key]
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _refers(key: str, value: Any, textures: set[int]) -> bool:
    return key.endswith("Texture") and isinstance(value, dict) and _is_one_of(value.get("index"), textures)


def _is_one_of(index: Any, indices: set[int]) -> bool:
    return isinstance(index, int | float) and index in indices
