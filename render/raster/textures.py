"""An asset's images, decoded once each."""

import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from PIL import Image

from pipeline.values.paths import file_inside


class TextureReader:
    """Reads images inside one folder and remembers the names of those that it could not read."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.unreadable: set[str] = set()
        self._decoded: dict[str, np.ndarray | None] = {}

    def file(self, name: str) -> np.ndarray | None:
        """[H, W, 4] uint8 of a file named relative to the folder; None if it is missing, outside or broken."""
        if name not in self._decoded:
            path = self._find(name)
            self._decoded[name] = self._decode(name, path.read_bytes() if path else b"")
        return self._decoded[name]

    def file_over_black(self, name: str) -> np.ndarray | None:
        """As `file`, but opaque: its colours (sRGB values, not light) are multiplied by its alpha."""
        key = f"{name} over black"
        if key not in self._decoded:
            pixels = self.file(name)
            if pixels is not None and pixels[..., 3].min() < 255:
                pixels = pixels.copy()
                pixels[..., :3] = (pixels[..., :3] * pixels[..., 3:].astype(np.uint16) + 127) // 255
                pixels[..., 3] = 255
            self._decoded[key] = pixels
        return self._decoded[key]

    def embedded(self, key: str, data: bytes) -> np.ndarray | None:
        """[H, W, 4] uint8 of an encoded image; None if it is broken. `key` tells images apart and names them."""
        if key not in self._decoded:
            self._decoded[key] = self._decode(key, data)
        return self._decoded[key]

    def _find(self, name: str) -> Path | None:
        """Programs that write MTL files name folders of machines long gone: then the bare name counts."""
        plain = name.strip().strip('"').replace("\\", "/")
        for candidate in (plain, unquote(plain), plain.rpartition("/")[2]):
            path = file_inside(self.folder, candidate)
            if path is not None:
                return path
        return None

    def _decode(self, name: str, data: bytes) -> np.ndarray | None:
        try:
            with Image.open(io.BytesIO(data)) as image:
                return np.asarray(image.convert("RGBA"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            self.unreadable.add(name)
            return None
