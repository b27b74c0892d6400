"""A hub with a table of Objaverse-XL's GitHub part, beside servers laid out as GitHub's."""

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.objaverse.xl_source import REVISION
from tests.pipeline.assets.asset_makers import Store
from tests.pipeline.assets.asset_server import AssetServer
from tests.pipeline.assets.objaverse_hub import FAST

XL = f"/datasets/allenai/objaverse-xl/resolve/{REVISION}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TABLES = {
    "github": f"{XL}/github/github.parquet",
    "sketchfab": f"{XL}/sketchfab/sketchfab.parquet",
    "smithsonian": f"{XL}/smithsonian/smithsonian.parquet",
}
Entry = tuple[str | None, str, str | None, str | None, str | None]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(*rows: Entry) -> bytes:
    """A Parquet file of annotations with the columns that the dataset has, in its order."""
    names = ("fileIdentifier", "source", "license", "fileType", "sha256")
    columns = {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)}
    file = io.BytesIO()
    pq.write_table(pa.table({**columns, "metadata": ["{}"] * len(rows)}), file)
    return file.getvalue()


def blob(path: str, repository: str = "maker/models", commit: str = COMMIT) -> str:
    return f"https://github.com/{repository}/blob/{commit}/{path}"


def listed(path: str, data: bytes, repository: str = "maker/models", commit: str = COMMIT) -> Entry:
    """An entry of the table, whose checksum is that of `data`."""
    return blob(path, repository, commit), "github", "MIT License", path.rpartition(".")[2].lower(), digest(data)


class XLHub(AssetServer):
    """Serves single files at /raw and /lfs."""

    def raw(self, path: str, repository: str = "maker/models", commit: str = COMMIT) -> str:
        """The address of a file, percent-encoded by the caller, at this server."""
        return f"/raw/{repository}/{commit}/{path}"

    def put(self, files: dict[str, bytes], repository: str = "maker/models", commit: str = COMMIT) -> None:
        self.files |= {self.raw(path, repository, commit): data for path, data in files.items()}

    def put_large(self, path: str, data: bytes) -> None:
        self.files[f"/lfs/maker/models/{COMMIT}/{path}"] = data

    def config(self, folder: Path, **fields) -> dict:
        """The settings of a corpus of the table's GitHub part."""
        places = {"endpoint": self.url, "github": f"{self.url}/raw", "github_lfs": f"{self.url}/lfs"}
        known = {"source": "objaverse-xl", "path": "github", "cache": str(folder / "cache"), "repository_objects": 0}
        return known | places | FAST | fields

    def run(self, folder: Path, *entries: Entry, **fields) -> Store:
        """Plan and fetch these entries."""
        self.files[TABLES["github"]] = table(*entries)
        return Store(folder, **self.config(folder, **fields))
