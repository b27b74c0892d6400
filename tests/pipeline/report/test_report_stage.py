import html.parser
import json
import re

import numpy as np
import pytest

from pipeline.corpus import Corpus
from pipeline.report.config import ReportConfig
from pipeline.report.objects import Measured, spread
from pipeline.report.stage import ReportStage
from tests.pipeline.synthetic_corpus import write_corpus

pytest.importorskip("torch", reason="drawing splats needs the fit extra")

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(html.parser.HTMLParser):
    """What a test wants to know of a page; fails on tags that are not closed."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.references, self.tags, self.text, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.references += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self._open.pop()

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str, css_class: str = "") -> list[dict]:
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and (not css_class or css_class in attributes.get("class", "").split())
        ]


@pytest.fixture(scope="session")
def reported(tmp_path_factory) -> Corpus:
    """A corpus with everything that a report shows, and its report."""
    corpus = write_corpus(tmp_path_factory.mktemp("report") / "corpus", objects=7, views=9)
    error = {"log_tail": "line 1\nline 2", "attempt": 1, "retryable": False}
    corpus.write_errors(
        "render",
        1,
        [{**error, "uid": "<b>bad</b>", "stage": "render", "error_class": "AssetError", "message": "no <mesh> in it"}],
    )
    pack = {"triplets": 6, "bytes_per_object": 12345, "left_out_psnr": 1}
    corpus.write_json({"stage": "pack", "figures": pack, "seconds": 12.0}, "done", "pack.json")
    metrics = [{"step": i, "loss": 5 / i, "text_loss": 3 / i, "lr": 1e-3} for i in range(1, 21)]
    lines = "".join(json.dumps(line) + "\n" for line in metrics)
    corpus.write_text(lines + '{"step": 21, "lo', "runs", "default", "metrics.jsonl")
    key = "retrieval_heldout_text_to_3d_r1"
    evaluated = {key: 0.25, f"{key}_chance": 0.125, f"{key}_low": 0.1, f"{key}_high": 0.4}
    corpus.write_json({"run": "default", "figures": evaluated}, "runs", "default", "evaluation.json")
    figures = ReportStage(ReportConfig()).run(corpus)
    assert figures["drawn"] == 7 and figures["not_drawn"] == 0
    return corpus


@pytest.fixture(scope="session")
def page(reported) -> Page:
    return Page(reported.filesystem.cat(reported.path("report/index.html")).decode())


def test_nothing_outside_of_the_page_is_needed(page):
    assert page.references
    for reference in page.references:
        assert reference.startswith(("data:", "#", "objects/")), reference
    style = "".join(page.text)
    assert "url(" not in style and "@import" not in style


def test_names_of_strangers_are_text(page):
    assert len(page.all("script")) == 1
    assert "<script>alert(1)</script>" in " ".join(page.text)
    assert "<b>bad</b>" in page.text and "no <mesh> in it" in page.text
    assert not page.all("mesh")


def test_every_object_has_a_card_with_three_pictures_for_each_heldout_view(page):
    assert len(page.all("article", "card")) == 7
    images = page.all("img")
    assert len(images) == 7
    assert all(image["src"].startswith("data:image/webp;base64,") for image in images)
    assert all(image["style"] == "aspect-ratio:3/3" for image in images)  # views 0, 3, 6
    badges = {card["data-badge"]: card["data-place"] for card in page.all("article", "card")}
    assert {name: badges[name] for name in ("best", "median", "worst")} == {"best": "0", "median": "3", "worst": "6"}


def test_overview_counts_and_gives_reasons(page):
    text = " ".join(" ".join(page.text).split())
    assert "7 objects planned" in text and "6 triplets packed" in text and "1 failures" in text
    assert "Left out when packing: psnr 1." in text
    assert "AssetError" in text
    assert "33.0 dB" in text


def test_training_and_evaluation_with_chance(page):
    lines = page.all("polyline")
    assert len(lines) == 3  # loss, text_loss, lr
    assert all(len(re.findall(r"[\d.]+,[\d.]+", line["points"])) == 20 for line in lines)
    text = " ".join(" ".join(page.text).split())
    assert "retrieval heldout text to 3d R@1 25.0% chance 12.5%" in text


def test_the_weak_encoder_is_called_weak(page):
    text = " ".join(page.text)
    assert "conse:test" in text and "weak" in text


def test_the_rest_is_counted_not_drawn(tmp_path):
    corpus = write_corpus(tmp_path, objects=9, views=3)
    assert ReportStage(ReportConfig(max_objects=4)).run(corpus)["not_drawn"] == 5
    text = (tmp_path / "report/index.html").read_text()
    page = Page(text)
    assert len(page.all("article", "card")) == 4
    assert {card["data-badge"] for card in page.all("article", "card")} >= {"best", "median", "worst"}
    assert "4 of 9 objects are drawn" in text


def test_the_same_corpus_gives_the_same_page(reported):
    before = reported.filesystem.cat(reported.path("report/index.html"))
    ReportStage(ReportConfig()).run(reported)
    assert reported.filesystem.cat(reported.path("report/index.html")) == before


def test_a_corpus_that_only_has_views_is_reported_too(tmp_path):
    corpus = write_corpus(tmp_path, objects=3, views=3)
    for table in ("gaussians", "captions", "embeddings"):
        corpus.filesystem.rm(corpus.path(table), recursive=True)
    assert ReportStage(ReportConfig(title="Half way")).run(corpus)["drawn"] == 0
    page = Page((tmp_path / "report/index.html").read_text())
    assert "Half way" in page.text
    assert not page.all("article")


@pytest.mark.parametrize("count", [3, 4, 7, 50, 99])
def test_spread_keeps_both_ends_and_the_middle(count):
    ranked = [Measured(str(i), 0, 40 - i, 0.9, 10) for i in range(100)]
    chosen = spread(ranked, count)
    assert len(chosen) == count
    assert {ranked[0], ranked[50], ranked[-1]} <= set(chosen)
    gaps = np.diff([ranked.index(item) for item in chosen])
    assert gaps.min() >= 1 and gaps.max() <= 2 * 100 / (count - 1) + 1
