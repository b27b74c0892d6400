"""Paths that assets name: they come from strangers, and may lead anywhere."""

from pathlib import Path


def file_inside(folder: Path, reference: str, root: Path | None = None) -> Path | None:
    """The file that `reference`, a path relative to `folder`, names; None where there is none.

    A path or a link that leads out of `root` (the folder itself where none is given, else one that it lies in) is as
    good as missing, and so is a name that no file can have.
    """
    try:
        path = (folder / reference).resolve()
        return path if path.is_relative_to((root or folder).resolve()) and path.is_file() else None
    except (OSError, ValueError):  # too long a name; one with a null
        return None
