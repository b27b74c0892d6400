"""A server on loopback that is laid out as the dataset Objaverse 1.0 on the hub."""

import gzip
import hashlib
import json

from pipeline.assets.objaverse.dataset import REVISION
from tests.pipeline.assets.asset_makers import box_glb
from tests.pipeline.assets.asset_server import AssetServer

ROOT = f"/datasets/allenai/objaverse/resolve/{REVISION}"
PATHS, LVIS = f"{ROOT}/object-paths.json.gz", f"{ROOT}/lvis-annotations.json.gz"
FAST = {"requests_per_second": 0, "retries": 1, "backoff_s": 0.01, "read_timeout_s": 0.3, "timeout_s": 3}


def uid_of(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


def annotation(number: int, license_: str = "by") -> dict:
    """One object of a metadata file, with the fields that the dataset has."""
    uid = uid_of(number)
    api = "https://api.sketchfab.com/v3"
    return {
        "uri": f"{api}/models/{uid}",
        "uid": uid,
        "name": f"Object {number}",
        "staffpickedAt": None,
        "viewCount": 4,
        "likeCount": 0,
        "animationCount": 0,
        "viewerUrl": f"https://sketchfab.com/3d-models/{uid}",
        "embedUrl": f"https://sketchfab.com/models/{uid}/embed",
        "commentCount": 0,
        "isDownloadable": True,
        "publishedAt": "2021-03-18T09:36:25.430631",
        "tags": [{"name": name, "slug": name, "uri": f"{api}/tags/{name}"} for name in ("stair", "case")],
        "categories": [{"uid": "0", "name": "Architecture", "slug": "architecture", "uri": f"{api}/categories/0"}],
        "thumbnails": {
            "images": [{"uid": "6", "size": 37800, "width": 1920, "url": "https://x/y.jpeg", "height": 1080}]
        },
        "user": {
            "uid": "b5",
            "username": "maker",
            "displayName": "The Maker",
            "profileUrl": "https://sketchfab.com/maker",
            "account": "basic",
            "avatar": {"uri": f"{api}/avatars/d1", "images": []},
            "uri": f"{api}/users/b5",
        },
        "description": "made by <b>hand</b>",
        "faceCount": 14608,
        "createdAt": "2021-03-18T09:31:52.190927",
        "vertexCount": 7309,
        "isAgeRestricted": False,
        "archives": {"glb": {"textureCount": 6, "size": 1546940, "type": "glb", "textureMaxResolution": 1024}},
        "license": license_,
    }


def packed(value: object) -> bytes:
    return gzip.compress(json.dumps(value).encode(), mtime=0)


class Hub(AssetServer):
    """Six objects in two folders; the second and the fourth are in LVIS."""

    FOLDERS = {"000-000": (0, 1, 2), "000-023": (3, 4, 5)}

    def __init__(self):
        super().__init__()
        paths = {uid_of(n): f"glbs/{folder}/{uid_of(n)}.glb" for folder, ns in self.FOLDERS.items() for n in ns}
        self.files[PATHS] = packed(paths)
        self.files[LVIS] = packed({"stair": [uid_of(1)], "bus_(vehicle)": [uid_of(3)], "zebra": [uid_of(3)], "ax": []})
        licenses = ["by", "cc0", "by-nc", "by-nc-sa", "by-sa", "by"]
        for folder, numbers in self.FOLDERS.items():
            objects = {uid_of(n): annotation(n, licenses[n]) for n in numbers}
            self.files[f"{ROOT}/metadata/{folder}.json.gz"] = packed(objects)
        for path in paths.values():
            self.files[f"{ROOT}/{path}"] = box_glb()
