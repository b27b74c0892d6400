"""What a captioner may know about an object: its metadata and its views."""

from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from pipeline.store.rows import Row, missing_colors
from pipeline.values.pictures import open_view

ASSET_COLUMNS = ("name", "tags", "category", "lvis_category", "missing_textures", "missing_colors")
VIEW_COLUMNS = ("images", "width", "height", "coverage")


@dataclass(frozen=True)
class Subject:
    """One object to caption."""

    uid: str
    name: str
    tags: tuple[str, ...]
    category: str
    lvis_category: str
    missing_colors: tuple[str, ...]  # textures without which it lacks colours
    coverage: float  # mean alpha over all views
    encoded_views: tuple[bytes, ...]  # [V]
    size: tuple[int, int]  # width, height of every view

    @classmethod
    def from_row(cls, row: Row) -> "Subject":
        """The subject of a joined row of `assets` (`ASSET_COLUMNS`) and `views` (`VIEW_COLUMNS`)."""
        return cls(
            uid=row["uid"],
            name=row["name"] or "",
            tags=tuple(row["tags"] or ()),
            category=row["category"] or "",
            lvis_category=row["lvis_category"] or "",
            missing_colors=tuple(missing_colors(row)),
            coverage=float(row["coverage"]),
            encoded_views=tuple(image["bytes"] for image in row["images"]),
            size=(row["width"], row["height"]),
        )

    def open_views(self, views: Iterable[int] | None = None) -> list[Image.Image]:
        """RGBA views (all, or those of these numbers), opened; a view is decoded when its pixels are first used.

        Nothing is kept here: the pixels go when the caller drops the pictures.

        Raises:
            AssetError: a view is not a picture of the size that the row states.
        """
        numbers = range(len(self.encoded_views)) if views is None else views
        return [open_view(self.encoded_views[v], self.size, f"object {self.uid}, view {v}") for v in numbers]
