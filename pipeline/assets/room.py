"""Room for one more asset: on the corpus's disk, and within what the corpus may take."""

import shutil
import threading

from pipeline.assets.config import AssetsConfig
from pipeline.base.errors import StorageError
from pipeline.store.corpus_store import CorpusStore

GB = 1e9
SHARE = 16  # a worker lists the store again once it has added this share of what was left
LEAST_SHARE = 1000  # … of the whole budget at least


class Room:
    """Asked before every fetch, told of every stored file; may be shared by threads."""

    def __init__(self, corpus: CorpusStore, config: AssetsConfig):
        self._corpus, self._config = corpus, config
        self._lock = threading.Lock()
        self._stored = 0  # bytes, when they were last counted
        self._added = 0  # bytes by this worker since then
        self._until_counted = 0

    def ensure(self) -> None:
        """Stop before it runs out: what is done by then stays, and the same command resumes.

        Raises:
            StorageError: less than `assets.keep_free_bytes` are free, or `assets.max_corpus_bytes` are used up.
        """
        self._ensure_free()
        if self._config.max_corpus_bytes:
            with self._lock:
                self._ensure_budget()

    def note_stored(self, size: int) -> None:
        """A file of `size` bytes has been stored."""
        with self._lock:
            self._added += size

    def _ensure_free(self) -> None:
        corpus, least = self._corpus, self._config.keep_free_bytes
        if not (least and corpus.is_local):
            return
        free = shutil.disk_usage(corpus.root).free
        if free < least:
            raise StorageError(
                f"assets: {free / GB:.2f} GB are free on the disk of {corpus.root}, assets.keep_free_bytes is "
                f"{least / GB:.2f} GB: make room, or lower it"
            )

    def _ensure_budget(self) -> None:
        """Other workers add to the same store: the nearer its end, the more often it is counted."""
        most = self._config.max_corpus_bytes
        if self._added >= self._until_counted:
            self._stored, self._added = self._corpus.asset_bytes(), 0
            self._until_counted = max((most - self._stored) // SHARE, most // LEAST_SHARE)
        if self._stored + self._added >= most:
            raise StorageError(
                f"assets: the stored files take {(self._stored + self._added) / GB:.2f} GB, assets.max_corpus_bytes is "
                f"{most / GB:.2f} GB: raise it, or plan a corpus with a smaller assets.limit"
            )
