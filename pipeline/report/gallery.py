"""The gallery's files beside the page: sprites, the index and its scripts."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from pipeline.report.alike import vectors_script
from pipeline.report.catalogue import Entry, catalogue_script
from pipeline.report.object_page import VIEWER, VIEWER_FILES, object_file
from pipeline.report.sprites import atlases
from pipeline.store.corpus_store import CorpusStore

if TYPE_CHECKING:
    from caption.audit import Audit

FOLDER = files("pipeline.report")
SCRIPTS = ("catalogue.js", "gallery.js", "object.js")


def write_gallery(corpus: CorpusStore, entries: Sequence[Entry], total: int, audited: "Audit | None") -> None:
    """Write what the gallery of `entries` needs, and remove what an older report left of objects that it drew.

    Args:
        total: objects that could be drawn.
        audited: scores and vectors of the embedded objects, if there are any.
    """
    if not entries:
        return
    scored = {item.uid: item for item in audited.objects} if audited else {}
    vectors = [scored[entry.uid].vector for entry in entries if entry.uid in scored]
    has_vectors = len(vectors) == len(entries)
    scores = {uid: item.score for uid, item in scored.items()}
    corpus.write_text(catalogue_script(entries, total, scores, has_vectors), "report", "data", "objects.js")
    if has_vectors:
        corpus.write_text(vectors_script(np.stack(vectors)), "report", "data", "vectors.js")
    sprites = _write_sprites(corpus, entries)
    for name in SCRIPTS:
        corpus.write_text((FOLDER / name).read_text(encoding="utf-8"), "report", name)
    for name in VIEWER_FILES:
        corpus.write_text((VIEWER / name).read_text(encoding="utf-8"), "report", name)
    _remove_others(corpus, "objects", {object_file(entry.uid) for entry in entries})
    _remove_others(corpus, "sprites", sprites)


def _write_sprites(corpus: CorpusStore, entries: Sequence[Entry]) -> set[str]:
    names = set()
    for number, atlas in enumerate(atlases([entry.strip for entry in entries])):
        name = f"{number:05d}.webp"
        with corpus.atomic_file(corpus.path("report", "sprites", name)) as file:
            file.write_bytes(atlas)
        names.add(name)
    return names


def _remove_others(corpus: CorpusStore, folder: str, names: set[str]) -> None:
    for name in corpus.names("report", folder):
        if name not in names:
            corpus.remove("report", folder, name)
