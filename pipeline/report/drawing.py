"""Drawing objects for the report, several at once: each one's page, and its entry in the gallery's index."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from caption.errors import BadRender
from caption.pictures.subject import Subject
from caption.pictures.views import check_render
from pipeline.report.card import Card, draw_card
from pipeline.report.catalogue import Entry, entry_from_row
from pipeline.report.object_page import object_file, render_object_page
from pipeline.report.objects import Measured, read_objects
from pipeline.report.sprites import strip_png
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row
from pipeline.values.splat import Gaussians


def draw_objects(corpus: CorpusStore, objects: Sequence[Measured], threads: int) -> list[Entry]:
    """Write the page of every object; returns their entries in the order of `objects`.

    No more than `threads` objects with their views are in memory, and the one that is read next.

    Raises:
        ConfigError: no rasterizer is installed to draw splats with.
    """
    entries: dict[str, Entry] = {}
    running: deque[Future[Entry]] = deque()

    def finish_first() -> None:
        entry = running.popleft().result()
        entries[entry.uid] = entry

    with ThreadPoolExecutor(threads) as pool:
        for _, row in read_objects(corpus, objects):
            running.append(pool.submit(_draw, corpus, row))
            if len(running) == threads:
                finish_first()
        while running:
            finish_first()
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
    subject = Subject.from_row(row)
    try:
        check_render(subject, subject.open_views())
    except BadRender as error:
        return error.kind
    return ""
