"""Drawing objects for the report, several at once: each one's page, and its entry in the gallery's index."""

from collections.abc import Sequence
from functools import partial

from pipeline.report.card import Card, draw_card
from pipeline.report.catalogue import Entry, entry_from_row
from pipeline.report.object_page import object_file, render_object_page
from pipeline.report.objects import Measured, read_objects
from pipeline.report.sprites import strip_png
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.read_ahead import read_ahead
from pipeline.store.rows import Row
from pipeline.values.splat import Gaussians


def draw_objects(corpus: CorpusStore, objects: Sequence[Measured], threads: int) -> list[Entry]:
    """Write the page of every object; returns their entries in the order of `objects`.

    No more than `threads` objects with their views are in memory, and the one that is read next.

    Raises:
        ConfigError: no rasterizer is installed to draw splats with.
    """
    rows = (row for _, row in read_objects(corpus, objects))
    drawn = read_ahead(partial(_draw, corpus), rows, threads, ahead=threads)
    entries = {entry.uid: entry for entry in drawn}
    return [entries[item.uid] for item in objects]


def _draw(corpus: CorpusStore, row: Row) -> Entry:
    card = draw_card(row)
    _write_page(corpus, card, row)
    return entry_from_row(row, strip_png(card.sheet), _bad_render(row))


def _write_page(corpus: CorpusStore, card: Card, row: Row) -> None:
    splat = Gaussians.from_row(row)
    page = render_object_page(card.name, splat, row["rasterize_mode"], row["eps2d"], card, report="..")
    corpus.write_text(page, "report", "objects", object_file(card.uid))


def _bad_render(row: Row) -> str:
    """Why no vision model is shown these views; empty where it is."""
    from caption.errors import BadRender
    from caption.pictures.subject import Subject
    from caption.pictures.views import check_render

    subject = Subject.from_row(row)
    try:
        check_render(subject, subject.open_views())
    except BadRender as error:
        return error.kind
    return ""
