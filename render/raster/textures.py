"""An asset's images, decoded once each."""

import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from PIL import Image

from pipeline.values.paths import file_inside


class TextureReader:
    """Reads images inside the folder `root` and remembers the names of those that it could not read."""

    def __init__(self, root: Path):
        self.root = root
        self.unreadable: set[str] = set()
        self._decoded: dict[tuple[str, Path | None], np.ndarray | None] = {}

    def file(self, name: str, folder: Path) -> np.ndarray | None:
        """[H, W, 4] uint8 of a file named relative to `folder`; None if it is missing, outside of `root` or broken."""
        key = (name, folder)
        if key not in self._decoded:
            path = self._find(name, folder)
            self._decoded[key] = self._decode(name, path.read_bytes() if path else b"")
        return self._decoded[key]

    def file_over_black(self, name: str, folder: Path) -> np.ndarray | None:
        """As `file`, but opaque: its colours (sRGB values, not light) are multiplied by its alpha."""
        key = (f"{name} over black", folder)
        if key not in self._decoded:
            pixels = self.file(name, folder)
            if pixels is not None and pixels[..., 3].min() < 255:
                pixels = pixels.copy()
                pixels[..., :3] = (pixels[..., :3] * pixels[..., 3:].astype(np.uint16) + 127) // 255
                pixels[..., 3] = 255
            self._decoded[key] = pixels
        return self._decoded[key]

    def embedded(self, name: str, data: bytes) -> np.ndarray | None:
        """[H, W, 4] uint8 of an encoded image; None if it is broken. `name` tells images apart."""
        key = (name, None)
        if key not in self._decoded:
            self._decoded[key] = self._decode(name, data)
        return self._decoded[key]

    def _find(self, name: str, folder: Path) -> Path | None:
        """Programs that write MTL files name folders of machines long gone: then the bare name counts."""
        plain = name.strip().strip('"').replace("\\", "/")
        for candidate in (plain, unquote(plain), plain.rpartition("/")[2]):
            path = file_inside(folder, candidate, self.root)
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
