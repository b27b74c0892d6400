"""The report in a real browser: no error, nothing from outside, search, order and pages work by mouse and by keys."""

import io
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.browser import Browser, find_chromium, open_browser
from fakes.synthetic_corpus import write_corpus
from pipeline import Corpus, view
from pipeline.report.config import ReportConfig
from pipeline.report.sprites import COLUMNS, ROWS, TILE, TILES
from pipeline.report.stage import ReportStage

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium here (apt-get install chromium)"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    corpus = write_corpus(tmp_path_factory.mktemp("chromium") / "corpus", objects=5)
    ReportStage(ReportConfig()).run(corpus)
    return Path(corpus.path("report/index.html"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Browser:
    software_webgl = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
    with open_browser(tmp_path_factory.mktemp("profile"), *software_webgl) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(report) -> str:
    """A static host of the report's folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=report.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture
def browser(tab, report) -> Browser:
    """A tab with the report freshly loaded; the test fails if anything in it goes wrong."""
    tab.problems.clear()
    tab.resize(1200, 900)
    tab.open("about:blank")  # an address that only differs after # would not load the page anew
    tab.open(report.as_uri())
    yield tab
    assert tab.problems == []


def names(browser: Browser) -> list[str]:
    return browser.run("[...document.querySelectorAll('#cards .card')].map(c => c.dataset.name)")


def test_pictures_load_and_hostile_names_do_not_run(browser, report):
    style = "document.querySelector('.strip').style.backgroundImage.match(/url\\(\"(.*?)\"/)[1]"
    size = (
        "async s => { const i = new Image(); i.src = s; await i.decode(); return [i.naturalWidth, i.naturalHeight]; }"
    )
    assert browser.run(f"({size})({style})") == [COLUMNS * TILES * TILE, ROWS * TILE]
    assert "<script>alert(1)</script>" in names(browser)
    resources = browser.run("performance.getEntriesByType('resource').map(r => r.name)")
    assert all(name.startswith(("data:", report.parent.as_uri())) for name in resources)


def set_value(browser: Browser, element_id: str, value: str, event: str) -> None:
    element = f"document.getElementById('{element_id}')"
    browser.run(f"{element}.value = '{value}'; {element}.dispatchEvent(new Event('{event}')); null")


def test_search_filters_and_order(browser):
    set_value(browser, "search", "BALL alert", "input")
    assert names(browser) == ["<script>alert(1)</script>"]
    assert browser.run("document.getElementById('shown').textContent") == "1 of 5"
    set_value(browser, "search", "", "input")
    for order, first in (("best", "Ball 4"), ("worst", "<script>alert(1)</script>"), ("median", "Ball 2")):
        set_value(browser, "order", order, "change")
        assert names(browser)[0] == first
    set_value(browser, "order", "best", "change")
    set_value(browser, "filter-license", "CC-BY 3.0", "change")
    assert names(browser) == ["Ball 3", "Ball 1"]
    set_value(browser, "search", "no such thing", "input")
    assert names(browser) == [] and not browser.run("document.getElementById('nothing').hidden")


def test_the_address_keeps_what_was_asked_for(browser):
    browser.run("location.hash = '#q=ball&order=worst&split=train'")
    wait_for(browser, "document.querySelectorAll('#cards .card').length === 3")
    set_value(browser, "order", "best", "change")
    with browser.loading():
        browser.call("Page.reload")
    assert browser.run("location.hash") == "#q=ball&order=best&split=train"
    assert names(browser) == ["Ball 2", "Ball 1", "<script>alert(1)</script>"]
    assert browser.run("document.getElementById('filter-split').value") == "train"


def test_objects_that_look_alike_come_after_those_that_match(browser):
    set_value(browser, "search", "ball-001", "input")
    assert names(browser) == ["Ball 1"]
    browser.run("document.getElementById('alike').click()")
    wait_for(browser, "document.querySelectorAll('#cards .card').length === 5")
    assert browser.run("document.querySelectorAll('#cards .similar').length") == 4
    assert names(browser)[0] == "Ball 1"


def wait_for(browser: Browser, condition: str) -> None:
    deadline = time.monotonic() + 30
    while not browser.run(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


def test_by_keys_through_the_objects_that_were_asked_for(browser):
    browser.press("/")
    assert browser.run("document.activeElement.id") == "search"
    set_value(browser, "search", "CC-BY", "input")
    assert names(browser) == ["Ball 3", "Ball 1"]
    browser.run("document.querySelector('.card').focus()")
    heading = "document.querySelector('h1').textContent"
    with browser.loading():
        browser.press("Enter")
    assert browser.run(heading) == "Ball 3"
    wait_for(browser, "document.getElementById('next').href")
    assert browser.run("document.getElementById('place').textContent") == "1 of 2"
    with browser.loading():
        browser.press("ArrowRight")
    assert browser.run(heading) == "Ball 1"
    wait_for(browser, "document.querySelectorAll('#cards .card').length === 4")  # those that look alike
    with browser.loading():
        browser.press("Escape")
    assert names(browser) == ["Ball 3", "Ball 1"]


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


def drawn_colors(browser: Browser) -> np.ndarray:
    """Pixels [M, 3] of the splat's canvas that differ from its background, once the splat is drawn."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = browser.run("document.getElementById('state').textContent")
        assert "cannot" not in text, text
        colors = canvas_colors(browser)
        if "Drag" in text and len(colors) > 10_000:
            return colors
        time.sleep(0.2)
    raise TimeoutError("the canvas stayed blank")


def canvas_colors(browser: Browser) -> np.ndarray:
    canvas = "document.getElementById('splat').getBoundingClientRect()"
    box = browser.run(f"(b => [b.left, b.top, b.right, b.bottom])({canvas})")
    pixels = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB").crop([round(x) for x in box]))
    inside = pixels[10:-10, 10:-10].reshape(-1, 3).astype(int)
    return inside[np.abs(inside - inside[0]).max(1) > 60]


def is_ball(colors: np.ndarray, number: int) -> bool:
    """Whether the pixels have the colour of a ball of the synthetic corpus, seen from above where it is lighter."""
    base = np.random.default_rng(number).uniform(0.2, 0.8, 3) * 255
    middle = np.median(colors, axis=0)
    return np.abs(middle - base).max() < 60 and list(middle.argsort()) == list(base.argsort())


def test_the_splat_turns_on_the_page_of_its_object_from_disk(browser, report):
    browser.open((report.parent / "objects" / "ball-003.html").as_uri())
    assert is_ball(drawn_colors(browser), 3)
    before = browser.screenshot()
    time.sleep(0.5)
    assert browser.screenshot() != before


def test_the_splat_moves_by_keys_and_only_when_asked_if_motion_is_unwelcome(browser, report):
    browser.resize(240, 240)  # few pixels to draw in software
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    browser.open((report.parent / "objects" / "ball-003.html").as_uri())
    wait_for(browser, "document.getElementById('state').textContent.includes('Drag')")
    browser.run("document.getElementById('splat').focus()")
    first = wait_until(browser, lambda before, shown: shown == before)
    browser.press("+")
    nearer = wait_until(browser, lambda before, shown: shown == before != first)
    browser.press("ArrowLeft")
    wait_until(browser, lambda before, shown: shown not in (first, nearer))
    assert browser.run("location.pathname").endswith("ball-003.html")  # where arrow keys lead to another object


def wait_until(browser: Browser, condition: Callable[[bytes, bytes], bool]) -> bytes:
    """The picture of the window for which, with that of some frames before, the condition holds."""
    deadline = time.monotonic() + 120
    frames = (
        "new Promise(done => { let n = 0; (function next() { n++ < 3 ? requestAnimationFrame(next) : done() })() })"
    )
    before = browser.screenshot()
    while time.monotonic() < deadline:
        browser.run(frames)
        shown = browser.screenshot()
        if condition(before, shown):
            return shown
        before = shown
    raise TimeoutError("what was asked for is not drawn")


def test_report_and_splat_from_a_static_host(browser, server):
    browser.open(f"{server}/index.html")
    href = browser.run("document.querySelector('.card[data-name=\"Ball 2\"]').href")
    assert href == f"{server}/objects/ball-002.html"
    browser.open(href)
    assert is_ball(drawn_colors(browser), 2)


def test_view_writes_one_page_for_an_object_and_for_a_bare_splat(browser, report, tmp_path, capsys):
    corpus = report.parents[1]
    ply = Corpus.open(corpus).object("ball-001").export("ply", tmp_path / "ball.ply")
    for name, arguments in (("object", [str(corpus), "--uid", "ball-001"]), ("bare", [str(ply)])):
        page = tmp_path / f"{name}.html"
        assert view.main([*arguments, "--out", str(page)]) == 0
        browser.open(page.as_uri())
        assert is_ball(drawn_colors(browser), 1)
    assert view.main([str(corpus), "--uid", "nobody"]) == 2
    assert "no object 'nobody'" in capsys.readouterr().err
