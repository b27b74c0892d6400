"""Screenshots of a corpus' report for the guides, light and dark, in a headless Chromium.

`python -m benchmarks.screenshots CORPUS --uid UID` writes docs/images/report-*.webp.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.record import ROOT
from fakes.browser import Browser, open_browser

IMAGES = ROOT / "docs" / "images"
SOFTWARE_WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
WIDTH, HEIGHT = 1280, 960
TIMEOUT_S = 300  # a splat of 20,000 Gaussians is drawn in software


def take(browser: Browser, name: str, url: str, ready: str, section: str = "") -> None:
    """Save the page at `url`, from `section` on, in both colour schemes once the JavaScript condition `ready` holds."""
    for dark in (False, True):
        browser.resize(WIDTH, HEIGHT, dark)
        browser.open("about:blank")
        browser.open(url)
        deadline = time.monotonic() + TIMEOUT_S
        while not browser.run(ready):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}: {ready} did not come true")
            time.sleep(0.2)
        if section:
            browser.run(f"document.getElementById('{section}').scrollIntoView({{behavior: 'instant'}})")
        time.sleep(2)  # pictures are decoded, splats sorted
        picture = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
        path = IMAGES / f"report-{name}-{'dark' if dark else 'light'}.webp"
        picture.save(path, "WEBP", quality=85, method=6)
        print(path.relative_to(ROOT), path.stat().st_size)
    if browser.problems:
        raise RuntimeError(f"{url}: {browser.problems}")


def main() -> None:
    """Command line: see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screenshots", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="folder of a corpus with a report of a training")
    parser.add_argument("--uid", required=True, help="the object whose page is shown")
    arguments = parser.parse_args()
    report = (arguments.corpus / "report").resolve()
    index, page = (report / "index.html").as_uri(), (report / "objects" / f"{arguments.uid}.html").as_uri()
    IMAGES.mkdir(exist_ok=True)
    has_cards = "document.querySelectorAll('#cards .card').length > 0"
    has_splat = f"document.getElementById('state').textContent.includes('Drag') && {has_cards}"
    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile), *SOFTWARE_WEBGL) as browser:
        browser.timeout_s = TIMEOUT_S
        take(browser, "overview", index, has_cards)
        take(browser, "gallery", f"{index}#order=median", has_cards, section="objects")
        take(browser, "training", index, has_cards, section="training")
        take(browser, "captions", (report / "captions.html").as_uri(), "document.images.length > 0")
        take(browser, "object", page, has_splat)


if __name__ == "__main__":
    main()
