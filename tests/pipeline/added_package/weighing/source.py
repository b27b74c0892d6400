"""As many squares as `assets.path` says."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.assets.sources import AssetSource, Fetched
from pipeline.store.rows import Row
from pipeline.store.schema import INDEX

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3\nf 1 3 4\n"


class Squares(AssetSource):
    def plan(self) -> Iterator[Row]:
        empty = {name: None for name in INDEX.names if name != "shard"}
        for number in range(int(self.config.path)):
            uid = f"square-{number}"
            yield empty | {"uid": uid, "source": "squares", "origin_uri": uid, "split": ""}

    def fetch(self, row: Row, folder: Path) -> Fetched:
        main = folder / "square.obj"
        main.write_text(SQUARE)
        return Fetched(main)
