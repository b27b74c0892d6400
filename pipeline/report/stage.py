"""The report stage: one HTML page that shows what a corpus holds and how well it was made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fit_gaussians.gaussians import ATTRIBUTES, Gaussians
from pipeline.corpus import Corpus
from pipeline.report.charts import Histogram, histogram
from pipeline.report.config import ReportConfig
from pipeline.report.gallery import Card, draw_card
from pipeline.report.object_page import VIEWER, VIEWER_FILES, object_file, object_href, render_object_page
from pipeline.report.objects import Measured, measured_objects, read_objects, spread
from pipeline.report.overview import corpus_stages, count_objects, count_stages, pack_figures, read_failures
from pipeline.report.page import render_page
from pipeline.report.training import read_runs
from pipeline.rows import Row
from pipeline.stage import CorpusStage


class ReportStage(CorpusStage):
    """Writes CORPUS/report/index.html: self-contained, opens from disk without a network."""

    name = "report"
    after = ("assets", "render", "fit", "caption", "embed", "pack", "train", "evaluate")
    config: ReportConfig

    def run(self, corpus: Corpus) -> Mapping[str, Any]:
        """Draw the report of whatever the corpus holds so far; the figures count what was drawn.

        Raises:
            ConfigError: there are splats to draw and no rasterizer to draw them with.
        """
        ranked = measured_objects(corpus)
        chosen = spread(ranked, self.config.max_objects)
        places = {item.uid: place for place, item in enumerate(ranked)}
        cards = []
        for item, row in read_objects(corpus, chosen):
            card, place = draw_card(row), places[item.uid]
            write_object_page(corpus, card, row)
            cards.append(replace(card, place=place, badge=badge(place, len(ranked)), href=object_href(item.uid)))
        cards.sort(key=lambda card: card.place)
        finish_object_pages(corpus, [card.uid for card in cards])
        objects, failures = count_objects(corpus), read_failures(corpus)
        failed = Counter()
        for stage, _, count in failures.groups:
            failed[stage] += count
        pack = pack_figures(corpus)
        page = render_page(
            title=self.config.title or corpus.root.rstrip("/").rsplit("/", 1)[-1],
            objects=objects,
            stages=count_stages(corpus, objects, failed),
            corpus_stages=corpus_stages(corpus),
            failures=failures,
            pack=pack,
            left_out=left_out(pack),
            psnr_median=float(np.median([item.psnr for item in ranked])) if ranked else None,
            histograms=quality_histograms(ranked),
            cards=cards,
            fitted=len(ranked),
            runs=read_runs(corpus),
            encoders=encoders(corpus),
        )
        corpus.write_text(page, "report", "index.html")
        return {"drawn": len(cards), "not_drawn": len(ranked) - len(cards), "bytes": len(page.encode())}


def badge(place: int, total: int) -> str:
    """Which place in the ranking is called what."""
    return {0: "best", total // 2: "median", total - 1: "worst"}.get(place, "") if total > 2 else ""


def write_object_page(corpus: Corpus, card: Card, row: Row) -> None:
    """The object's own page, with its splat to be turned."""
    splat = Gaussians(**{name: row[name] for name in ATTRIBUTES})
    page = render_object_page(card.name, splat, row["rasterize_mode"], row["eps2d"], card, f"../{VIEWER_FILES[0]}")
    corpus.write_text(page, "report", "objects", object_file(card.uid))


def finish_object_pages(corpus: Corpus, uids: list[str]) -> None:
    """Put the viewer beside the pages, and remove pages of objects that an older report drew."""
    for name in VIEWER_FILES if uids else ():
        corpus.write_text((VIEWER / name).read_text(encoding="utf-8"), "report", name)
    drawn = {object_file(uid) for uid in uids}
    for path in corpus.filesystem.glob(corpus.path("report", "objects", "*.html")):
        if path.rsplit("/", 1)[-1] not in drawn:
            corpus.filesystem.rm_file(path)


def quality_histograms(ranked: list[Measured]) -> list[Histogram]:
    """How PSNR, SSIM and the number of Gaussians are spread over all fitted objects, where they differ at all."""
    columns = {
        "PSNR, dB, held-out views": [item.psnr for item in ranked],
        "SSIM, held-out views": [item.ssim for item in ranked],
        "Gaussians per object": [item.num_gaussians for item in ranked],
    }
    finite = {title: [value for value in values if np.isfinite(value)] for title, values in columns.items()}
    return [histogram(title, values) for title, values in finite.items() if len(set(values)) > 1]


def left_out(pack: Mapping[str, Any]) -> dict[str, int]:
    """Objects that were not packed, by reason."""
    prefix = "left_out_"
    return {key.removeprefix(prefix).replace("_", " "): count for key, count in pack.items() if key.startswith(prefix)}


def encoders(corpus: Corpus) -> list[str]:
    """Ids of the encoders whose embeddings the corpus holds."""
    shards = corpus.shards("embeddings")
    return sorted({row["encoder"] for shard in shards for row in corpus.read_rows("embeddings", shard, ["encoder"])})
