"""The report stage: pages that show what a corpus holds and how well it was made."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.report.captions import write_captions_page
from pipeline.report.charts import Histogram, histogram
from pipeline.report.config import ReportConfig
from pipeline.report.drawing import draw_objects
from pipeline.report.gallery import write_gallery
from pipeline.report.objects import Measured, measured_objects, spread
from pipeline.report.overview import corpus_stages, count_objects, count_stages, pack_figures, read_failures
from pipeline.report.page import render_template
from pipeline.report.training import read_runs
from pipeline.stages.stage import CorpusStage
from pipeline.store.corpus_store import CorpusStore

if TYPE_CHECKING:
    from caption.audit import Audit


class ReportStage(CorpusStage[ReportConfig]):
    """Writes the folder CORPUS/report: self-contained, opens from disk or any static host without a network."""

    name = "report"
    after = ("assets", "render", "fit", "caption", "embed", "pack", "train", "evaluate")

    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        """Draw the report of whatever the corpus holds so far; the figures count what was drawn.

        Raises:
            ConfigError: there are splats to draw and no rasterizer to draw them with.
        """
        from caption.audit import audit

        title = self.config.title or corpus.root.rstrip("/").rsplit("/", 1)[-1]
        ranked = measured_objects(corpus)
        entries = draw_objects(corpus, spread(ranked, self.config.max_objects), self.config.threads)
        used = encoders(corpus)
        audited = audit(corpus) if len(used) == 1 else None
        write_gallery(corpus, entries, len(ranked), audited)
        objects, failures = count_objects(corpus), read_failures(corpus)
        if audited:
            write_captions_page(corpus, title, audited, self.config.worst_captions, entries, failures)
        failed: Counter[str] = Counter()
        for stage, _, count in failures.groups:
            failed[stage] += count
        pack = pack_figures(corpus)
        page = render_template(
            "index.html.j2",
            title=title,
            objects=objects,
            stages=count_stages(corpus, objects, failed),
            corpus_stages=corpus_stages(corpus),
            failures=failures,
            pack=pack,
            left_out=left_out(pack),
            psnr_median=float(np.median([item.psnr for item in ranked])) if ranked else None,
            histograms=quality_histograms(ranked, audited),
            drawn=len(entries),
            fitted=len(ranked),
            runs=read_runs(corpus),
            encoders=used,
            captions=audited.figures if audited else None,
        )
        corpus.write_text(page, "report", "index.html")
        return {"drawn": len(entries), "not_drawn": len(ranked) - len(entries), "bytes": len(page.encode())}

    def files(self, corpus: CorpusStore) -> list[str]:
        return ["report/index.html"]


def quality_histograms(ranked: list[Measured], audited: "Audit | None") -> list[Histogram]:
    """How PSNR, SSIM and other measures are spread over all objects, where they differ at all."""
    columns: dict[str, Sequence[float]] = {
        "PSNR, dB, held-out views": [item.psnr for item in ranked],
        "SSIM, held-out views": [item.ssim for item in ranked],
        "Gaussians per object": [item.num_gaussians for item in ranked],
        "caption and views, cosine": [item.score for item in audited.objects] if audited else [],
    }
    finite = {title: [value for value in values if np.isfinite(value)] for title, values in columns.items()}
    return [histogram(title, values) for title, values in finite.items() if len(set(values)) > 1]


def left_out(pack: Mapping[str, Any]) -> dict[str, int]:
    """Objects that were not packed, by reason."""
    prefix = "left_out_"
    return {key.removeprefix(prefix).replace("_", " "): count for key, count in pack.items() if key.startswith(prefix)}


def encoders(corpus: CorpusStore) -> list[str]:
    """Ids of the encoders whose embeddings the corpus holds."""
    shards = corpus.shards("embeddings")
    return sorted({row["encoder"] for shard in shards for row in corpus.read_rows("embeddings", shard, ["encoder"])})
