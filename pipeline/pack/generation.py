"""How newly packed files take the place of older ones: the manifest says which files count, and is replaced last.

Readers that go by manifest.json, or by the card, see the old files or the new ones, never a mixture, and a packing that
is killed leaves the old ones readable. Those who read all files of the folder see both for a while: for the moment of
some renames on a local disk; in a bucket, where nothing can be renamed, from the first upload on.
"""

import shutil
from pathlib import Path

from pipeline.pack.manifest import strangers
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.leftovers import owned_name, remove_dead
from pipeline.store.packed import FOLDER, PackedManifest

UNFINISHED = f"{FOLDER}.tmp-"


class NewFiles:
    """Files on their way into the packed folder. On a local disk they wait beside it until all are there."""

    def __init__(self, corpus: CorpusStore):
        self._corpus = corpus
        self._waiting = UNFINISHED + owned_name() if corpus.is_local else FOLDER

    def path(self, path: str) -> str:
        """Where to write the file that is to be at `path` in the packed folder."""
        return self._corpus.path(self._waiting, path)

    def take_place(self) -> None:
        """Move what waits into the folder."""
        if self._waiting == FOLDER:
            return
        waiting = Path(self._corpus.path(self._waiting))
        for file in sorted(waiting.rglob("*.parquet")):
            target = Path(self._corpus.path(FOLDER), file.relative_to(waiting))
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)

    def __enter__(self) -> "NewFiles":
        if self._corpus.is_local:
            remove_dead(Path(self._corpus.path()), prefix=UNFINISHED)
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting != FOLDER:
            shutil.rmtree(self._corpus.path(self._waiting), ignore_errors=True)


def remove_older(corpus: CorpusStore, manifest: PackedManifest) -> None:
    """Remove the packed files that are not in the manifest."""
    packed = CorpusStore(f"{corpus.uri.rstrip('/')}/{FOLDER}")
    for path in strangers(packed, manifest):
        packed.remove(path)
