"""Images of a glTF document: which of them give colours, and those taken out that the file does not bring."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pipeline.values.gltf import Document

WHITE_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


COLORS = ("baseColorTexture", "diffuseTexture", "emissiveTexture")


def names_of_colors(document: Document) -> set[str]:
    """The images (paths, percent-decoded) that a material shows as a colour; others are bumps, gloss and the like."""
    shown = {
        value["index"]
        for node in _objects(document.get("materials", []))
        for key, value in node.items()
        if key in COLORS and isinstance(value, dict) and isinstance(value.get("index"), int)
    }
    textures = [texture for index, texture in enumerate(document.get("textures", [])) if index in shown]
    images = enumerate(document.get("images", []))
    return {unquote(image.get("uri", "")) for index, image in images if any(_shows(each, {index}) for each in textures)}


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
    """Delete what refers to one of the textures, however deep it lies."""
    for node in _objects(materials):
        for key in [key for key, value in node.items() if _refers(key, value, textures)]:
            del node[key]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects in a value, outer ones first. Without recursion: assets are hostile."""
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _refers(key: str, value: Any, textures: set[int]) -> bool:
    return key.endswith("Texture") and isinstance(value, dict) and _is_one_of(value.get("index"), textures)


def _is_one_of(index: Any, indices: set[int]) -> bool:
    return isinstance(index, int | float) and index in indices
