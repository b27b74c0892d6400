"""The page of captions: those that fit their views worst with pictures, bad renders, and objects without a caption."""

from collections.abc import Collection
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from pipeline.report.catalogue import Entry, facet
from pipeline.report.object_page import object_href
from pipeline.report.overview import Failures
from pipeline.report.page import render_template
from pipeline.report.pictures import data_uri
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import rows_from_table
from pipeline.store.shard_reader import TableReader
from pipeline.values.pictures import open_view

if TYPE_CHECKING:
    from caption.audit import Audit, Scored

PICTURES = 4  # views shown of an object: those that fit worst and best
PIXELS = 160  # of a view


def write_captions_page(
    corpus: CorpusStore, title: str, audited: "Audit", worst: int, entries: Collection[Entry], failures: Failures
) -> None:
    """Write CORPUS/report/captions.html.

    Args:
        title: of the corpus.
        worst: captions shown.
        entries: objects that have a page.
        failures: of all stages.
    """
    drawn = {entry.uid for entry in entries}
    page = render_template(
        "captions.html.j2",
        title=title,
        figures=audited.figures,
        worst=[
            (item, object_href(item.uid) if item.uid in drawn else "", _pictures(corpus, item))
            for item in audited.objects[:worst]
        ],
        bad_renders=[(entry, facet(entry, "render")) for entry in entries if facet(entry, "render") != "good"],
        checked=len(drawn),
        href=object_href,
        without_caption=sum(count for stage, _, count in failures.groups if stage == "caption"),
        failures=[row for row in failures.rows if row["stage"] == "caption"],
    )
    corpus.write_text(page, "report", "captions.html")


def _pictures(corpus: CorpusStore, item: "Scored") -> list[tuple[str, float]]:
    """Data URIs of the views with the lowest and the highest cosine, and these."""
    order = np.argsort(item.view_weights, kind="stable")
    half = PICTURES // 2
    chosen = order if len(order) <= PICTURES else [*order[:half], *order[-half:]]
    with closing(TableReader(corpus, corpus.shard_path("views", item.shard), ["images"])) as reader:
        views = rows_from_table(reader.table(item.uid))[0]["images"]
    pictures = [open_view(views[v]["bytes"], None, f"object {item.uid}, view {v}") for v in chosen]
    for picture in pictures:
        picture.thumbnail((PIXELS, PIXELS))
    return [(data_uri(picture), float(item.view_weights[v])) for picture, v in zip(pictures, chosen, strict=True)]
