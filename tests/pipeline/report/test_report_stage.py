import base64
import html.parser
import io
import json
import posixpath
import re

import numpy as np
import pytest
from PIL import Image

from fakes.synthetic_corpus import object_row, write_corpus, write_rows
from pipeline import Corpus
from pipeline.report.alike import DIM, reduced_vectors
from pipeline.report.config import ReportConfig
from pipeline.report.objects import Measured, spread
from pipeline.report.sprites import COLUMNS, ROWS, STRIPS, TILE, TILES, atlases, strip_png
from pipeline.report.stage import ReportStage
from pipeline.state.records import DoneNote, done_path

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
    note = DoneNote(
        stage="pack", config_hash="", inputs={}, figures=pack, seconds=12.0, code_version="", fingerprint=""
    )
    corpus.write_record(note, *done_path("pack"))
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


@pytest.fixture(scope="session")
def object_page(reported) -> Page:
    return Page(reported.filesystem.cat(reported.path("report/objects/ball-000.html")).decode())


def catalogue(corpus: Corpus) -> dict:
    """The gallery's index."""
    script = corpus.filesystem.cat(corpus.path("report/data/objects.js")).decode()
    return json.loads(script.removeprefix("globalThis.catalogueData = ").removesuffix(";\n"))


def test_nothing_outside_of_the_report_is_needed(page, object_page, reported):
    for folder, shown in (("report", page), ("report/objects", object_page)):
        assert shown.references
        for reference in shown.references:
            named = posixpath.normpath(posixpath.join(folder, reference.partition("#")[0]))
            assert reference.startswith(("data:", "#")) or reported.exists(named), reference
        style = "".join(shown.text)
        assert "url(" not in style and "@import" not in style


def test_names_of_strangers_are_text(page, object_page):
    assert all("src" in script for script in page.all("script"))
    assert "<script>alert(1)</script>" in object_page.text
    assert "<b>bad</b>" in page.text and "no <mesh> in it" in page.text
    assert not page.all("mesh")


def test_the_index_has_every_object_the_best_first(reported):
    index = catalogue(reported)
    assert index["uid"] == [f"ball-{number:03d}" for number in reversed(range(7))]
    assert index["psnr"] == [36.0, 35.0, 34.0, 33.0, 32.0, 31.0, 30.0]
    assert index["name"][-1] == "<script>alert(1)</script>" and index["caption"][0] == "A round ball, number 6."
    assert index["facets"]["split"]["values"] == ["train", "heldout", "val"]
    assert index["facets"]["split"]["codes"] == [1, 2, 0, 0, 0, 0, 0]
    embedded = [reported.read_rows("embeddings", shard)[0] for shard in (3, 0)]  # one object a shard is enough
    scores = dict(zip(index["uid"], index["score"], strict=True))
    for row in embedded:
        assert scores[row["uid"]] == pytest.approx(row["view_weights"].mean(), abs=1e-3)


def test_an_object_page_has_a_line_of_pictures_for_each_heldout_view(object_page):
    (sheet,) = object_page.all("img", "whole")
    data = base64.b64decode(sheet["src"].removeprefix("data:image/webp;base64,"))
    assert Image.open(io.BytesIO(data)).size == (3 * 32, 3 * 32)  # views 0, 3, 6


def test_a_strip_of_the_atlas_is_the_first_line_of_its_sheet():
    sheets = [Image.new("RGBA", (96, 64), (60 * number, 0, 0, 255)) for number in range(1, 4)]
    for sheet in sheets:
        sheet.paste((0, 0, 255, 255), (0, 32, 96, 64))
    strips = [strip_png(sheet) for sheet in sheets]
    first, second = (Image.open(io.BytesIO(data)) for data in atlases(strips[:1] * STRIPS + strips[1:]))
    assert first.size == second.size == (COLUMNS * TILES * TILE, ROWS * TILE)
    for place, red in ((0, 120), (1, 180)):
        row, column = divmod(place, COLUMNS)
        pixel = second.convert("RGBA").getpixel((column * TILES * TILE + 9, row * TILE + 9))
        assert np.abs(np.array(pixel) - (red, 0, 0, 255)).max() < 8
    assert second.convert("RGBA").getpixel((9, TILE + 9))[3] == 0  # nothing more


def test_reduced_vectors_keep_who_looks_like_whom():
    generator = np.random.default_rng(0)
    groups = np.repeat(generator.normal(size=(20, 256)), 5, axis=0)
    vectors = groups + 0.3 * generator.normal(size=groups.shape) + 5  # the same large part in all
    reduced = reduced_vectors(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(int)
    assert reduced.shape == (100, DIM) and np.abs(reduced).max() <= 127
    nearest = np.argsort(-(reduced @ reduced.T), axis=1)[:, :5]
    assert (nearest // 5 == np.arange(100)[:, None] // 5).all()


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
    assert "4 of 9 objects are drawn" in " ".join(Page(text).text)
    assert len(catalogue(corpus)["uid"]) == 4
    assert len(list((tmp_path / "report/objects").iterdir())) == 4
    ReportStage(ReportConfig(max_objects=3)).run(corpus)
    assert {path.stem for path in (tmp_path / "report/objects").iterdir()} == {"ball-000", "ball-004", "ball-008"}


def test_the_same_corpus_gives_the_same_report(reported):
    def content() -> dict[str, bytes]:
        return {path: reported.filesystem.cat(path) for path in reported.filesystem.find(reported.path("report"))}

    before = content()
    ReportStage(ReportConfig(threads=1)).run(reported)
    assert content() == before


def test_a_corpus_that_only_has_views_is_reported_too(tmp_path):
    corpus = write_corpus(tmp_path, objects=3, views=3)
    for table in ("gaussians", "captions", "embeddings"):
        corpus.filesystem.rm(corpus.path(table), recursive=True)
    assert ReportStage(ReportConfig(title="Half way")).run(corpus)["drawn"] == 0
    page = Page((tmp_path / "report/index.html").read_text())
    assert "Half way" in page.text
    assert not page.all("section", "objects") and not page.all("script")


def test_the_page_of_captions_shows_the_worst_with_pictures_and_bad_renders(tmp_path):
    rows = [object_row(number, 5, 6, 32, 60) for number in range(5)]
    for row in rows:
        row["image_embeddings"] = np.tile(row["text_embedding"], (6, 1))
        row["view_weights"] = np.ones(6)
    rows[0]["view_weights"] = np.array([0.1, -0.2, 0.3, 0.0, 0.2, 0.1])
    rows[2]["caption"] = "<i>a</i> ball"
    rows[2]["view_weights"] = np.full(6, 0.5)
    rows[3]["coverage"] = 0.001
    rows[4]["missing_textures"] = rows[4]["missing_colors"] = ["wood.png"]
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, 2)
    failure = {"uid": "gone", "stage": "caption", "error_class": "BadCaption", "message": "it refuses", "log_tail": ""}
    corpus.write_errors("caption", 0, [failure | {"attempt": 1, "retryable": False}])
    ReportStage(ReportConfig(worst_captions=2)).run(corpus)
    page = Page((tmp_path / "report/captions.html").read_text())
    assert len(page.all("article")) == 2 and len(page.all("img")) == 8
    links = [link["href"] for link in page.all("a") if link["href"].startswith("objects/")]
    assert links == [
        f"objects/ball-{number:03d}.html" for number in (0, 2, 4, 3)
    ]  # worst captions, bad renders by PSNR
    assert "<i>a</i> ball" in "".join(page.text) and not page.all("article i")
    text = " ".join(" ".join(page.text).split())
    assert "Bad renders: 2" in text and "nearly empty" in text and "missing textures" in text
    assert "Without a caption: 1" in text and "BadCaption: it refuses" in text
    assert "R@1 100.0% chance 20.0%" in text
    index = catalogue(corpus)["facets"]["render"]
    assert index["values"] == ["good", "missing textures", "nearly empty"]


def test_a_corpus_of_two_encoders_is_reported_without_scores(tmp_path):
    rows = [object_row(number, 4, 3, 32, 60) for number in range(4)]
    rows[0]["encoder"] = "conse:other"
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, 2)
    ReportStage(ReportConfig()).run(corpus)
    assert not (tmp_path / "report/captions.html").exists()
    assert "conse:other" in (tmp_path / "report/index.html").read_text()
    assert catalogue(corpus)["hasVectors"] is False


@pytest.mark.parametrize("count", [3, 4, 7, 50, 99])
def test_spread_keeps_both_ends_and_the_middle(count):
    ranked = [Measured(str(i), 0, 40 - i, 0.9, 10) for i in range(100)]
    chosen = spread(ranked, count)
    assert len(chosen) == count
    assert {ranked[0], ranked[50], ranked[-1]} <= set(chosen)
    gaps = np.diff([ranked.index(item) for item in chosen])
    assert gaps.min() >= 1 and gaps.max() <= 2 * 100 / (count - 1) + 1
