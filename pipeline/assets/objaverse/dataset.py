"""The files of the Objaverse 1.0 dataset, at the hub or in a copy of it: what is known of its objects."""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.hub import HubDataset
from pipeline.assets.objaverse.annotations import Annotation, annotation_of
from pipeline.assets.objaverse.local_copy import LocalCopy
from pipeline.assets.objaverse.readers import LVIS, OBJECT_PATHS, OwnReader, Reader, chosen_reader, metadata_path
from pipeline.assets.sources import Unplanned
from pipeline.assets.tables.name_lists import UID
from pipeline.store.read_ahead import read_ahead

logger = logging.getLogger(__name__)

REPOSITORY = "datasets/allenai/objaverse"
REVISION = "21e4e142159e2153706c23a3a02e55cec5591cea"  # the dataset is named by a commit: equal plans, today or later
MAX_FILE_BYTES = 200_000_000
PATH = re.compile(rf"glbs/([0-9]{{3}}-[0-9]{{3}})/({UID.pattern})\.glb")
SHOWN = 200  # characters of an entry from outside
Content = TypeVar("Content")


@dataclass
class _Tally:
    """What was wrong, counted: one warning is enough for all of it."""

    count: int = 0
    first: str = ""

    def note(self, what: str) -> None:
        self.count += 1
        self.first = self.first or " ".join(what.split())[:SHOWN]

    def warn(self, text: str) -> None:
        if self.count:
            logger.warning(f"Objaverse 1.0: %d {text}; the first is %s", self.count, self.first)


class ObjaverseFiles:
    """The dataset's files: a copy's (`assets.local`) where that has them whole, else the hub's; see `HubDataset`.

    A file that is not the dataset's stops a plan. An entry in it that is not as it should be stops nothing: it is
    counted, and one warning tells of all of its kind.

    Raises:
        ConfigError: as `HubDataset`, `LocalCopy`.
    """

    def __init__(self, config: AssetsConfig, downloader: Downloader):
        self.hub = HubDataset(config, downloader, REPOSITORY, REVISION, MAX_FILE_BYTES)
        self.copy = LocalCopy(config, REVISION)
        self._parallel, self._stop = config.downloads, downloader.stop
        self._not_in_copy = _Tally()

    @cached_property
    def _reader(self) -> Reader:
        return chosen_reader()

    def url(self, path: str) -> str:
        return self.hub.url(path)

    def uids_by_folder(self, unplanned: Unplanned | None = None) -> dict[str, list[str]]:
        """The dataset's folders of GLB files (`000-023`), in order, with the uids of their objects.

        Args:
            unplanned: where entries are noted that are no objects of the dataset; None: a warning tells of them.

        Raises:
            ConfigError: the file cannot be fetched, or is not the dataset's.
        """
        self.hub.remove_leftovers()
        folders, faults = self._read(OBJECT_PATHS, lambda file: _by_folder(self._reader.object_paths(file)))
        tally = _Tally()
        for entry, reason in faults:
            if unplanned is not None:
                unplanned.note(entry, f"{OBJECT_PATHS}: {reason}")
            else:
                tally.note(f"{entry} ({reason})")
        tally.warn(f"entries of {OBJECT_PATHS} are no objects, and are not planned")
        return folders

    def lvis_categories(self, uids: Collection[str] | None = None) -> dict[str, str]:
        """uid -> LVIS category; of several, the first by name.

        Args:
            uids: those of the dataset, to tell which are not among them.

        Raises:
            ConfigError: as `uids_by_folder`.
        """
        listed = self._read(LVIS, self._reader.lvis)
        categories: dict[str, str] = {}
        faults, strangers = _Tally(), _Tally()
        for category, members in sorted(listed.items()):
            if not isinstance(members, list):
                faults.note(f"{category!r}, which is no list")
                continue
            for uid in members:
                if not isinstance(uid, str) or not UID.fullmatch(uid):
                    faults.note(f"{str(uid)[:80]!r} in {category!r}")
                elif uids is not None and uid not in uids:
                    strangers.note(f"{uid} in {category!r}")
                else:
                    categories.setdefault(uid, category)
        faults.warn(f"entries of {LVIS} are not as they should be, and are not used")
        strangers.warn(f"uids in {LVIS} are not in the dataset")
        return categories

    def annotations(self, folders: Mapping[str, list[str]]) -> Iterator[tuple[str, dict[str, Annotation]]]:
        """The annotations of the objects of one folder after the other, as far as there are any; the files ahead are
        fetched meanwhile, but not held in memory.

        Args:
            folders: folder -> uids, as `uids_by_folder` gives them.

        Raises:
            ConfigError: as `uids_by_folder`.
        """
        faults, lacking = _Tally(), _Tally()
        with closing(read_ahead(self._ensure, folders, self._parallel, stop=self._stop)) as fetched:
            for (folder, uids), _ in zip(folders.items(), fetched, strict=True):
                yield folder, self._annotations(folder, uids, faults, lacking)
        faults.warn("objects have an annotation that is not as it should be, and are planned without that part of it")
        lacking.warn("objects have no annotation, and are planned without one")
        self._not_in_copy.warn("of the dataset's own files are not whole in assets.local, and come from the hub")

    def _annotations(self, folder: str, uids: list[str], faults: _Tally, lacking: _Tally) -> dict[str, Annotation]:
        found = self._read(metadata_path(folder), lambda file: self._reader.annotations(file, folder, uids))
        annotations = {}
        for uid in uids:
            value = found.get(uid)
            if isinstance(value, Annotation):
                annotations[uid] = value
            elif uid in found:
                annotations[uid], fault = annotation_of(value)
                if fault:
                    faults.note(f"{uid} ({fault})")
            else:
                lacking.note(f"{uid} in {metadata_path(folder)}")
        return annotations

    def _ensure(self, folder: str) -> None:
        """Fetch a folder's annotations, and see that they are the dataset's, before anybody reads them."""
        path = metadata_path(folder)
        if not (self.copy.files(path) or self.hub.kept(path).is_file()):
            self.hub.fetch(path, lambda file: OwnReader().annotations(file, folder, []))

    def _read(self, path: str, read: Callable[[Path], Content]) -> Content:
        """What `read` makes of a file of the dataset: a copy's if that is whole, else the hub's.

        Raises:
            ConfigError: as `HubDataset.read`.
        """
        for file in self.copy.files(path):
            try:
                return read(file)
            except ValueError as error:
                self.copy.note_fault(file, str(error))
        if self.copy.roots:
            self._not_in_copy.note(path)
        return self.hub.read(path, read)


def _by_folder(paths: Mapping[str, object]) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The uids of every folder, and the entries that are no objects, with the reasons.

    Raises:
        ValueError: there is no object.
    """
    folders: dict[str, list[str]] = {}
    faults = []
    for uid, path in paths.items():
        match = PATH.fullmatch(path) if isinstance(path, str) else None
        if match and match[2] == uid:
            folders.setdefault(match[1], []).append(uid)
        elif not UID.fullmatch(uid):
            faults.append((uid[:SHOWN], "its uid is not of letters and digits, 1 to 64"))
        else:
            faults.append((uid, f"{str(path)[:SHOWN]!r} is not a path of this object"))
    if not folders:
        raise ValueError(f"it lists no object; {faults[0][0][:80]!r}: {faults[0][1]}" if faults else "it is empty")
    return dict(sorted(folders.items())), faults
