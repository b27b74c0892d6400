"""Files of the form, the names and the size of Objaverse 1.0 and Objaverse-XL, with invented objects.

What is true of the real files, and what these keep: 798,759 uids, some 400 of them not 32 hex digits; 160 folders with
an annotation file each, every object with the fields that Sketchfab's API has; LVIS with 1,156 categories; for XL a
Parquet table a part, with raw paths in the repositories and SHA-256 sums.
"""

import gzip
import json
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.objaverse.dataset import REVISION
from pipeline.assets.objaverse.xl_source import REVISION as XL_REVISION

OBJECTS, ODD, LVIS_OBJECTS, LVIS_CATEGORIES, FOLDERS = 798_759, 403, 46_207, 1_156, 160
GITHUB_ROWS, SMITHSONIAN_ROWS = 9_420_000, 2_390
ROWS_AT_ONCE = 100_000
HUB_FOLDER = Path("datasets", "allenai", "objaverse", "resolve", REVISION)
XL_FOLDER = Path("datasets", "allenai", "objaverse-xl", "resolve", XL_REVISION)
# Entries that name no object of the dataset's form; the real one has none, a damaged or a later one may.
BROKEN = {
    "../../../etc/passwd": "glbs/000-000/../../../etc/passwd.glb",
    "with space": "glbs/000-001/with space.glb",
    "0" * 32: "elsewhere/000.glb",
    "": "glbs/000-002/.glb",
}
LICENSES = ("by", "by", "by", "by-nc", "by-nc-sa", "by-sa", "cc0", "by-nd", "by-nc-nd", None)
LONG_LICENSES = ("Creative Commons - Attribution", "CC0 Public Domain", "Creative Commons - Attribution-NonCommercial")
REPOSITORY_LICENSES = ("MIT License", "Apache License 2.0", "GNU General Public License v3.0", "Other", None, None)
FORMATS = ("obj", "glb", "fbx", "stl", "gltf", "dae", "ply")
UNREAD_FORMATS = ("blend", "abc")
XL_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("fileIdentifier", "source", "license", "fileType", "sha256", "metadata")]
)
WORDS = (
    "oak",
    "chair",
    "low",
    "poly",
    "Küche",
    "robot",
    "tower",
    "椅子",
    "street",
    "lamp",
    "old",
    "game",
    "asset",
    "v2",
)

NAMES = tuple(word for word in WORDS if word.isascii() and word.isalnum())  # GitHub's repositories have no others


@dataclass(frozen=True)
class Objaverse:
    """The uids of Objaverse 1.0 by folder."""

    folders: dict[str, list[str]]

    @property
    def uids(self) -> list[str]:
        return [uid for uids in self.folders.values() for uid in uids]


def make_uids(objects: int, odd: int, folders: int, seed: int = 0) -> Objaverse:
    """`objects` uids over `folders` folders, `odd` of them of 27 letters and digits instead of 32 hex digits."""
    draw = random.Random(seed)
    alphabet = string.ascii_letters + string.digits
    uids = [f"{draw.getrandbits(128):032x}" for _ in range(objects - odd)]
    uids += ["".join(draw.choices(alphabet, k=27)) for _ in range(odd)]
    draw.shuffle(uids)
    size = -(-objects // folders)
    return Objaverse({f"000-{i:03d}": uids[i * size : (i + 1) * size] for i in range(folders)})


def write_objaverse(root: Path, dataset: Objaverse, lvis_objects: int, broken: bool = False) -> None:
    """The files of the repository `datasets/allenai/objaverse` without its GLBs, below the hub's root."""
    folder = root / HUB_FOLDER
    (folder / "metadata").mkdir(parents=True)
    paths = {uid: f"glbs/{name}/{uid}.glb" for name, uids in dataset.folders.items() for uid in uids}
    _write_json(folder / "object-paths.json.gz", paths | (BROKEN if broken else {}))
    draw = random.Random(1)
    categories: dict[str, list[str]] = {f"category_{i:04d}": [] for i in range(min(LVIS_CATEGORIES, lvis_objects))}
    names = list(categories)
    for number, uid in enumerate(draw.sample(list(paths), lvis_objects)):
        categories[names[number % len(names)]].append(uid)
    _write_json(folder / "lvis-annotations.json.gz", categories)
    for name, uids in dataset.folders.items():
        _write_json(folder / "metadata" / f"{name}.json.gz", {uid: annotation(uid, draw) for uid in uids})


def annotation(uid: str, draw: random.Random) -> dict[str, object]:
    """What the dataset keeps of one object: the answer of Sketchfab's API, some 3 kB."""
    api = "https://api.sketchfab.com/v3"
    words = draw.sample(WORDS, 5)
    maker = draw.randrange(100_000)
    sizes = (1920, 1024, 720, 256, 64)
    return {
        "uri": f"{api}/models/{uid}",
        "uid": uid,
        "name": " ".join(words[:3]),
        "staffpickedAt": None,
        "viewCount": draw.randrange(10_000),
        "likeCount": draw.randrange(100),
        "animationCount": 0,
        "viewerUrl": f"https://sketchfab.com/3d-models/{uid}",
        "embedUrl": f"https://sketchfab.com/models/{uid}/embed",
        "commentCount": 0,
        "isDownloadable": True,
        "publishedAt": "2021-03-18T09:36:25.430631",
        "tags": [{"name": word, "slug": word, "uri": f"{api}/tags/{word}"} for word in words],
        "categories": [{"uid": f"{draw.getrandbits(128):032x}", "name": "Architecture", "slug": "architecture"}],
        "thumbnails": {
            "images": [
                {
                    "uid": f"{draw.getrandbits(128):032x}",
                    "size": draw.randrange(100_000),
                    "width": width,
                    "height": width * 9 // 16,
                    "url": f"https://media.sketchfab.com/models/{uid}/thumbnails/{width}.jpeg",
                }
                for width in sizes
            ]
        },
        "user": {
            "uid": f"{maker:032x}",
            "username": f"maker{maker}",
            "displayName": f"Maker {maker}",
            "profileUrl": f"https://sketchfab.com/maker{maker}",
            "account": "basic",
            "uri": f"{api}/users/{maker:032x}",
        },
        "description": " ".join(draw.choices(WORDS, k=40)),
        "faceCount": draw.randrange(100_000),
        "createdAt": "2021-03-18T09:31:52.190927",
        "vertexCount": draw.randrange(100_000),
        "isAgeRestricted": False,
        "archives": {"glb": {"textureCount": 6, "size": 1546940, "type": "glb", "textureMaxResolution": 1024}},
        "license": draw.choice(LICENSES),
    }


def write_xl(root: Path, dataset: Objaverse, github_rows: int, smithsonian_rows: int) -> None:
    """The tables of `datasets/allenai/objaverse-xl`: Sketchfab's part names the objects of `dataset`."""
    folder = root / XL_FOLDER
    tables = {
        "github/github.parquet": _github_rows(github_rows),
        "sketchfab/sketchfab.parquet": _sketchfab_rows(dataset),
        "smithsonian/smithsonian.parquet": _smithsonian_rows(smithsonian_rows),
    }
    for name, batches in tables.items():
        (folder / name).parent.mkdir(parents=True)
        with pq.ParquetWriter(folder / name, XL_SCHEMA, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)


def _github_rows(count: int) -> Iterator[pa.RecordBatch]:
    """Repositories of a few to some thousand files, among them a share of formats that nobody reads here."""
    draw = random.Random(2)
    left, repository = 0, ""
    for start in range(0, count, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, count - start)
        addresses, licenses, kinds = [], [], []
        for number in range(start, start + rows):
            if not left:
                left = int(min(draw.paretovariate(0.9), 5000))
                owner, name = f"owner{draw.randrange(200_000)}", f"{draw.choice(NAMES)}-{draw.randrange(10**6)}"
                repository = f"https://github.com/{owner}/{name}/blob/{draw.getrandbits(160):040x}"
                license_ = draw.choice(REPOSITORY_LICENSES)
            left -= 1
            kind = draw.choice(UNREAD_FORMATS) if draw.random() < 0.01 else draw.choice(FORMATS)
            addresses.append(f"{repository}/assets/models/{draw.choice(WORDS)} {draw.choice(WORDS)}/{number}.{kind}")
            licenses.append(license_)
            kinds.append(kind)
        yield _batch(addresses, "github", licenses, kinds, draw)


def _sketchfab_rows(dataset: Objaverse) -> Iterator[pa.RecordBatch]:
    draw, uids = random.Random(3), dataset.uids
    draw.shuffle(uids)
    for start in range(0, len(uids), ROWS_AT_ONCE):
        addresses = [f"https://sketchfab.com/3d-models/{uid}" for uid in uids[start : start + ROWS_AT_ONCE]]
        licenses = [draw.choice(LONG_LICENSES) for _ in addresses]
        yield _batch(addresses, "sketchfab", licenses, ["glb"] * len(addresses), draw)


def _smithsonian_rows(count: int) -> Iterator[pa.RecordBatch]:
    draw = random.Random(4)
    place = "https://3d-api.si.edu/content/document/3d_package"
    addresses = [f"{place}:{draw.getrandbits(128):032x}/resources/{i}_std_draco.glb" for i in range(count)]
    yield _batch(addresses, "smithsonian", ["CC0"] * count, ["glb"] * count, draw)


def _batch(
    addresses: list[str], source: str, licenses: list[str | None], kinds: list[str], draw: random.Random
) -> pa.RecordBatch:
    digests = draw.randbytes(32 * len(addresses)).hex()
    sums = [digests[64 * i : 64 * i + 64] for i in range(len(addresses))]
    count = len(addresses)
    return pa.record_batch([addresses, [source] * count, licenses, kinds, sums, ["{}"] * count], schema=XL_SCHEMA)


def _write_json(path: Path, content: object) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(json.dumps(content).encode())
