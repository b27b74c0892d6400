"""Objaverse 1.0 (Deitke et al., CVPR 2023, arXiv 2212.08051): 800,000 GLB files from Sketchfab, on the Hugging Face
hub."""

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse.annotations import Annotation, described
from pipeline.assets.objaverse.checksums import known_checksums
from pipeline.assets.objaverse.dataset import ObjaverseFiles
from pipeline.assets.remote import RemoteSource
from pipeline.assets.sources import Fetched
from pipeline.assets.tables.name_lists import is_sha256
from pipeline.assets.tables.wanted import Wanted
from pipeline.base.errors import ConfigError
from pipeline.store.rows import Row

NAME = "Objaverse 1.0"


class ObjaverseSource(RemoteSource):
    """All objects of Objaverse 1.0, or those that the list `assets.objects` (or `assets.path`) names.

    The objects of Objaverse-LVIS are `heldout`, so that zero-shot figures on it are of objects never trained on.
    """

    def __init__(self, config: AssetsConfig):
        super().__init__(config)
        self.files = ObjaverseFiles(config, self.downloader)

    def plan(self) -> Iterator[Row]:
        wanted = self._wanted()
        folders = self.files.uids_by_folder(self.unplanned)
        by_checksum = wanted is not None and any(map(is_sha256, wanted.names))
        checksums = known_checksums(self.config, self.downloader, needed=by_checksum)
        lvis = self.files.lvis_categories({uid for uids in folders.values() for uid in uids})
        if wanted is not None:
            folders = _chosen(folders, wanted, checksums)
            wanted.conclude(NAME, self.unplanned)
        self.files.copy.tell_lacking(folders)
        for folder, annotations in self.files.annotations(folders):
            details = json.dumps({"folder": folder})
            for uid in folders[folder]:
                yield {
                    "uid": uid,
                    "source": "objaverse",
                    **described(annotations.get(uid, Annotation()), uid),
                    "lvis_category": lvis.get(uid, ""),
                    "split": "heldout" if uid in lvis else "",
                    "sha256": checksums.get(uid, b"").hex(),
                    "details": details,
                }

    def fetch(self, row: Row, folder: Path) -> Fetched:
        place = json.loads(row["details"])["folder"]
        taken = self.files.copy.take(place, row["uid"], row["sha256"], folder, self.config.max_bytes)
        return taken or self.fetch_file(self.files.url(f"glbs/{place}/{row['uid']}.glb"), "glb", row["sha256"], folder)

    def close(self) -> None:
        self.files.copy.close()

    def _wanted(self) -> Wanted | None:
        lists = {"assets.objects": self.config.objects, "assets.path": self.config.path}
        given = [(path, setting) for setting, path in lists.items() if path]
        if len(given) > 1:
            raise ConfigError("assets.path and assets.objects both name a list of uids; give one of them")
        return Wanted(*given[0]) if given else None


def _chosen(folders: dict[str, list[str]], wanted: Wanted, checksums: dict[str, bytes]) -> dict[str, list[str]]:
    """The folders that hold a wanted object, with the uids of these."""
    chosen = {
        folder: [uid for uid in uids if wanted.has(uid, checksums.get(uid, b"").hex())]
        for folder, uids in folders.items()
    }
    return {folder: uids for folder, uids in chosen.items() if uids}
