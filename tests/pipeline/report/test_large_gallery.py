"""Five thousand objects in the gallery: small files, few elements, quick answers, in a real browser."""

from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from caption.audit import Audit, Scored
from fakes.browser import Browser, find_chromium, open_browser
from fakes.synthetic_corpus import write_corpus
from pipeline.report import gallery, sprites
from pipeline.report.config import ReportConfig
from pipeline.report.drawing import draw_objects
from pipeline.report.objects import measured_objects
from pipeline.report.stage import ReportStage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium here (apt-get install chromium)"),
    pytest.mark.timeout(300),
]
OBJECTS = 5000
KINDS = ("armchair", "bookcase", "chandelier", "wardrobe", "washbasin")  # a thousand of each


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The report of five objects, whose gallery then gets each of them a thousand times."""
    corpus = write_corpus(tmp_path_factory.mktemp("large") / "corpus", objects=5)
    ReportStage(ReportConfig()).run(corpus)
    drawn = draw_objects(corpus, measured_objects(corpus), threads=1)
    entries = [numbered(drawn[number % 5], number) for number in range(OBJECTS)]
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(5, 384))
    vectors = centres[np.arange(OBJECTS) % 5] + 0.5 * generator.normal(size=(OBJECTS, 384))
    scored = [
        Scored(entry.uid, 0, entry.caption, "metadata", 0.3, np.full(6, 0.3), vector)
        for entry, vector in zip(entries, vectors, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:  # 313 times the first sprite: encoding all would take half a minute
        patch.setattr(gallery, "atlases", lambda strips: repeat(next(sprites.atlases(strips)), -(-len(strips) // 16)))
        gallery.write_gallery(corpus, entries, OBJECTS, Audit(scored, {}))
    return Path(corpus.path("report"))


def numbered(entry, number: int):
    kind = KINDS[number % 5]
    caption = f"A white and brown {kind}, filed under living room and tagged furniture, house and number {number}."
    uid = f"{kind}-{number:032d}"
    return replace(entry, uid=uid, name=f"Big {kind} {number}", caption=caption, psnr=60 - number / 200)


@pytest.fixture(scope="module")
def browser(report, tmp_path_factory) -> Browser:
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        tab.resize(1200, 900)
        tab.open((report / "index.html").as_uri())
        yield tab
        assert tab.problems == []


def test_the_files_are_small(report):
    assert (report / "index.html").stat().st_size < 100_000
    assert (report / "data" / "objects.js").stat().st_size < 400 * OBJECTS
    assert (report / "data" / "vectors.js").stat().st_size < 90 * OBJECTS
    atlases = list((report / "sprites").iterdir())
    assert len(atlases) == 313 and max(path.stat().st_size for path in atlases) < 200_000


def seconds(browser: Browser, action: str) -> float:
    """Of the fastest of five times, until the browser has laid the page out."""
    script = f"""(async () => {{
      let best = Infinity;
      for (let i = 0; i < 5; i += 1) {{
        const start = performance.now();
        {action};
        await null; await null;
        document.body.getBoundingClientRect();
        best = Math.min(best, performance.now() - start);
      }}
      return best / 1000;
    }})()"""
    return browser.run(script)


def type_words(words: str) -> str:
    return f"search.value = '{words}'; search.dispatchEvent(new Event('input'))"


def shown(browser: Browser) -> str:
    return browser.run("document.getElementById('shown').textContent")


def test_few_elements_whatever_is_shown(browser):
    for action in (type_words(""), type_words("chandelier"), "document.getElementById('next').click()"):
        browser.run(f"{action}; null")
        assert browser.run("document.querySelectorAll('#cards .card').length") == 48
        assert browser.run("document.querySelectorAll('*').length") < 1500


def test_words_are_found_at_once(browser):
    assert seconds(browser, type_words("wardrobe 4998")) < 0.2
    assert shown(browser) == "1 of 5,000"
    assert seconds(browser, type_words("wardrobe")) < 0.2
    assert shown(browser) == "1,000 of 5,000"
    assert seconds(browser, "order.value = 'name'; order.dispatchEvent(new Event('change'))") < 0.5


def test_what_looks_alike_is_found_at_once(browser):
    browser.run(type_words("wardrobe 4998") + "; document.getElementById('alike').click(); null")
    browser.run("catalogue.loadVectors('')")
    assert seconds(browser, type_words("wardrobe 4998")) < 0.3
    assert shown(browser) == "1 of 5,000, 96 look like them"
    names = browser.run("[...document.querySelectorAll('#cards .similar b')].map(b => b.textContent)")
    assert len(names) == 47 and all("wardrobe" in name for name in names)


def test_pages_to_the_end_by_keys(browser):
    browser.run("document.getElementById('alike').click();" + type_words("") + "; document.activeElement.blur(); null")
    browser.press("ArrowRight")
    assert browser.run("document.getElementById('page').textContent") == "page 2 of 105"
    browser.run("location.hash = '#page=105&order=best'")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("document.querySelectorAll('#cards .card').length") == OBJECTS % 48
    browser.press("ArrowRight")
    assert browser.run("document.getElementById('page').textContent") == "page 105 of 105"
