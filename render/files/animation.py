"""Whether an asset's file brings an animation. Views show objects at rest; whoever wants them to move must know."""

import mmap
from pathlib import Path

from render.files.gltf import read_document

# Names as binary FBX and Collada files write them; FBX puts the length before a name.
MARKS = {".fbx": b"\x0eAnimationCurve", ".dae": b"<library_animations"}
STILL = (".obj", ".ply", ".stl")  # formats without animations


def has_animation(main: Path) -> bool | None:
    """None where it is not known (USD).

    Raises:
        AssetError: as `render.files.gltf.read_document`.
    """
    if main.suffix in (".glb", ".gltf"):
        return bool(read_document(main)[0].get("animations"))
    if main.suffix in MARKS:
        with main.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(MARKS[main.suffix]) >= 0
    return False if main.suffix in STILL else None
