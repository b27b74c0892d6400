"""Animations in a file: found, or removed. Views show objects at rest; whoever wants them to move must know."""

import mmap
from pathlib import Path

from pipeline.values.gltf import is_gltf, read_gltf

# Names as binary FBX and Collada files write them; FBX puts the length before a name.
MARKS = {".fbx": b"\x0eAnimationCurve", ".dae": b"<library_animations"}
STILL = (".obj", ".ply", ".stl")  # formats without animations


def has_animation(main: Path) -> bool | None:
    """None where it is not known (USD).

    Raises:
        AssetError: as `pipeline.values.gltf.read_gltf`.
    """
    if is_gltf(main):
        return bool(read_gltf(main).document.get("animations"))
    if main.suffix in MARKS:
        with main.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(MARKS[main.suffix]) >= 0
    return False if main.suffix in STILL else None


def remove_animations(main: Path) -> None:
    """Rewrite a glTF file without animations.

    Blender's importer leaves every object where its animation begins; the nodes say where it rests.
    """
    file = read_gltf(main)
    if file.document.pop("animations", None):
        file.write()
