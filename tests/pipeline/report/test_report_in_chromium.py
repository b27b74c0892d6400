"""The report in a real browser: no error, nothing fetched, filter, order and dialog work by mouse and by keys."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.report.config import ReportConfig
from pipeline.report.stage import ReportStage
from tests.pipeline.report.browser import Browser, find_chromium, open_browser
from tests.pipeline.synthetic_corpus import write_corpus

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium here (apt-get install chromium)"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    corpus = write_corpus(tmp_path_factory.mktemp("chromium") / "corpus", objects=5)
    ReportStage(ReportConfig()).run(corpus)
    return Path(corpus.path("report/index.html"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Browser:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(tab, report) -> Browser:
    """A tab with the report freshly loaded; the test fails if anything in it goes wrong."""
    tab.problems.clear()
    tab.resize(1200, 900)
    tab.open(report.as_uri())
    yield tab
    assert tab.problems == []


def visible_names(browser: Browser) -> list[str]:
    return browser.run("[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.dataset.name)")


def test_pictures_load_and_hostile_names_do_not_run(browser):
    loaded = browser.run("[...document.querySelectorAll('.card img')].map(i => i.naturalWidth)")
    assert loaded == [96] * 5
    assert "<script>alert(1)</script>" in visible_names(browser)
    resources = browser.run("performance.getEntriesByType('resource').map(r => r.name)")
    assert all(name.startswith("data:") for name in resources)


def set_value(browser: Browser, element_id: str, value: str, event: str) -> None:
    element = f"document.getElementById('{element_id}')"
    browser.run(f"{element}.value = '{value}'; {element}.dispatchEvent(new Event('{event}')); null")


def test_filter_and_order(browser):
    set_value(browser, "search", "BALL alert", "input")
    assert visible_names(browser) == ["<script>alert(1)</script>"]
    assert browser.run("document.getElementById('shown').textContent") == "1 of 5"
    set_value(browser, "search", "", "input")
    for order, first in (("best", "Ball 4"), ("worst", "<script>alert(1)</script>"), ("median", "Ball 2")):
        set_value(browser, "order", order, "change")
        assert visible_names(browser)[0] == first


def test_dialog_by_keys(browser):
    browser.run("document.querySelector('.card .sheet').focus()")
    browser.press("Enter")
    title = "document.getElementById('detail-name')?.textContent.trim().split(' best')[0]"
    assert browser.run("document.getElementById('detail').open")
    assert browser.run(title) == "Ball 4"
    browser.press("ArrowRight")
    assert browser.run(title) != "Ball 4"
    browser.press("ArrowLeft")
    assert browser.run(title) == "Ball 4"
    browser.press("Escape")
    assert not browser.run("document.getElementById('detail').open")
    assert browser.run("document.activeElement.closest('.card').dataset.name") == "Ball 4"


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_nothing_is_wider_than_the_window(browser, width):
    browser.resize(width, 800)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_light_and_dark(browser):
    brightness = {}
    for dark in (False, True):
        browser.resize(1200, 900, dark)
        pixels = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L"))
        brightness[dark] = np.median(pixels)
        assert pixels.std() > 5  # there is something on it
    assert brightness[False] > 200 and brightness[True] < 60
