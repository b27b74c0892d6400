"""The assets stage: fetches, checks and stores the planned assets."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import public
from pipeline.assets.fetch.windows import LONGEST_WAIT_S
from pipeline.assets.files.bundle import bundle, sha256_of
from pipeline.assets.room import Room
from pipeline.assets.sources import make_source
from pipeline.base.errors import AssetError, Timeout, Unreachable
from pipeline.stages.stage import Failure, Resources, Row, Stage
from pipeline.store.schema import INDEX

# Of the formats' own frames; FBX, Collada and USD files say themselves which axis is up, and Blender follows them. OFF
# has no convention; the data sets in it (ModelNet, the Princeton Shape Benchmark) have z up.
UP_AXIS = {"glb": "y", "gltf": "y", "obj": "y", "fbx": "y", "dae": "y", "usdz": "y"}
UP_AXIS |= {"ply": "z", "stl": "z", "off": "z"}
COPIED = (
    "uid",
    "source",
    "origin_uri",
    "license",
    "creator",
    "name",
    "tags",
    "category",
    "lvis_category",
    "split",
)


class AssetsStage(Stage[AssetsConfig]):
    """Stores each asset under the hash of its content; one row of `assets` per asset."""

    name = "assets"
    reads = {"index": tuple(field for field in INDEX.names if field != "shard")}
    writes = "assets"

    @classmethod
    def resources(cls, config: AssetsConfig) -> Resources:
        return Resources(cpus=1, memory_gb=1)

    @classmethod
    def timeout_s(cls, config: AssetsConfig) -> float:
        # The download's own limit cannot end an answer whose headers come byte by byte; this one ends that, too. What a
        # file waits for servers that take no requests is not in `timeout_s`.
        return config.timeout_s + LONGEST_WAIT_S + 600

    def setup(self) -> None:
        self.batch_size = self.config.batch_size
        self.source = make_source(self.config)
        self.room = Room(self.context.corpus, self.config)

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        self.source.begin(batch, self.context)
        if self.source.parallel == 1:
            return [self._store_or_fail(row) for row in batch]
        with ThreadPoolExecutor(self.source.parallel) as pool:
            return list(pool.map(self._store_or_fail, batch))

    def close(self) -> None:
        self.source.close()

    def _store_or_fail(self, row: Row) -> Row | Failure:
        """A broken asset is no reason to fetch the rest of the batch again."""
        try:
            return self._store(row)
        except (AssetError, Timeout, Unreachable) as error:
            return Failure.from_exception(row["uid"], type(error)(f"object {row['uid']}: {error}"))

    def _store(self, row: Row) -> Row:
        self.room.ensure()
        with tempfile.TemporaryDirectory(dir=self.context.scratch, prefix="asset-") as scratch:
            folder = Path(scratch, "files")
            folder.mkdir()
            fetched = self.source.fetch(row, folder)
            file = Path(scratch, "stored")
            suffix = bundle(fetched, file)
            digest, size = sha256_of(file), file.stat().st_size
            stored = self.context.corpus.put_asset(file, digest, suffix)
        self.room.note_stored(size)
        file_format = fetched.main.suffix.removeprefix(".")
        return {
            **{column: row[column] for column in COPIED},
            "origin_uri": public(row["origin_uri"] or ""),  # the whole address stays in the index
            "annotations": row.get("annotations") or "",
            "file": stored,
            "sha256": digest,
            "bytes": size,
            "format": file_format,
            "up_axis": UP_AXIS[file_format],
            "rotation": list(fetched.rotation),
            "missing_textures": list(fetched.missing_textures),
            "missing_colors": list(fetched.missing_colors),
            "parts_fetched": len(fetched.side_files),
            "parts_missing": len(fetched.missing_textures),
        }
