"""Objaverse 1.0 (Deitke et al., CVPR 2023, arXiv 2212.08051): 800,000 GLB files from Sketchfab, on the Hugging Face
hub."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse_files import Annotation, ObjaverseFiles
from pipeline.assets.remote import RemoteSource
from pipeline.assets.sources import Fetched
from pipeline.assets.wanted import Wanted
from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row

# Sketchfab's short names; the dataset's card gives the versions.
LICENSES = {
    "by": "CC-BY-4.0",
    "by-nc": "CC-BY-NC-4.0",
    "by-nc-sa": "CC-BY-NC-SA-4.0",
    "by-sa": "CC-BY-SA-4.0",
    "by-nd": "CC-BY-ND-4.0",
    "by-nc-nd": "CC-BY-NC-ND-4.0",
    "cc0": "CC0-1.0",
}


class ObjaverseSource(RemoteSource):
    """All objects of Objaverse 1.0, or those that the list `assets.objects` (or `assets.path`) names.

    The objects of Objaverse-LVIS are `heldout`, so that zero-shot figures on it are of objects never trained on.
    """

    def __init__(self, config: AssetsConfig):
        super().__init__(config)
        self.files = ObjaverseFiles(config, self.downloader)

    def plan(self) -> Iterator[Row]:
        wanted = self._wanted()
        folders = self.files.uids_by_folder()
        if wanted is not None:
            chosen = {folder: [uid for uid in uids if wanted.has(uid)] for folder, uids in folders.items()}
            wanted.conclude("Objaverse 1.0", self.unplanned)
            folders = {folder: uids for folder, uids in chosen.items() if uids}
        lvis = self.files.lvis_categories()
        for folder, annotations in self.files.annotations(list(folders)):
            details = json.dumps({"folder": folder})
            for uid in folders[folder]:
                yield _index_row(uid, details, annotations.get(uid, Annotation()), lvis.get(uid, ""))

    def fetch(self, row: Row, folder: Path) -> Fetched:
        path = f"glbs/{json.loads(row['details'])['folder']}/{row['uid']}.glb"
        return self.fetch_file(self.files.url(path), "glb", row["sha256"], folder)

    def _wanted(self) -> Wanted | None:
        lists = {"assets.objects": self.config.objects, "assets.path": self.config.path}
        given = [(path, setting) for setting, path in lists.items() if path]
        if len(given) > 1:
            raise ConfigError("assets.path and assets.objects both name a list of uids; give one of them")
        return Wanted(*given[0]) if given else None


def _index_row(uid: str, details: str, annotation: Annotation, lvis_category: str) -> Row:
    """The index row of an object. Names that many objects share are interned: a plan holds 800,000 rows."""
    user = annotation.user
    license_ = (annotation.license or "").strip().lower()
    return {
        "uid": uid,
        "source": "objaverse",
        "origin_uri": annotation.viewerUrl or f"https://sketchfab.com/3d-models/{uid}",
        "name": annotation.name or "",
        "tags": [sys.intern(tag.name) for tag in annotation.tags or () if tag.name],
        "category": sys.intern(next((label.name for label in annotation.categories or () if label.name), "")),
        "lvis_category": lvis_category,
        "license": LICENSES.get(license_, sys.intern(license_)),
        "creator": sys.intern((user.displayName or user.username or "") if user else ""),
        "split": "heldout" if lvis_category else "",
        "sha256": "",
        "details": details,
    }
