"""View one object, or a bare splat, in the browser.

    python -m pipeline.view CORPUS --uid UID
    python -m pipeline.view splat.ply

Writes one self-contained HTML page, which needs no network, and opens it.
"""

import argparse
import sys
import tempfile
import webbrowser
from pathlib import Path

from pipeline.base.errors import AssetError, ConfigError
from pipeline.base.exit_code import exit_code
from pipeline.reading.corpus import Corpus

CLASSIC_EPS2D = 0.3  # what a PLY without a note was most likely fitted with


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.view", description=__doc__.splitlines()[0])
    parser.add_argument("what", help="a corpus (folder or URI), a copy of its triplets, or a splat as .ply")
    parser.add_argument("--uid", help="the object, if a corpus is given")
    parser.add_argument("--out", type=Path, help="write the page to this file and do not open it")
    options = parser.parse_args(arguments)
    try:
        page = ply_page(Path(options.what)) if options.what.endswith(".ply") else object_page(options.what, options.uid)
    except (ConfigError, AssetError, KeyError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 2
    path = options.out or Path(tempfile.mkdtemp(prefix="splat-")) / "index.html"
    path.write_text(page, encoding="utf-8")
    print(path)
    if not options.out:
        webbrowser.open(path.resolve().as_uri())
    return 0


def object_page(uri: str, uid: str | None) -> str:
    """The page of an object of a corpus.

    Raises:
        ConfigError: no uid, no corpus, or the object was not fitted.
        KeyError: the corpus has no such object.
    """
    from pipeline.report.card import draw_card
    from pipeline.report.object_page import render_object_page
    from pipeline.values.splat import Gaussians

    if not uid:
        raise ConfigError("which object? name it with --uid UID")
    item = Corpus.open(uri).object(uid)
    if "means" not in item.row:
        raise ConfigError(f"object {uid} has no splat: it failed or was not fitted yet")
    card, mode, eps2d = draw_card(item.row), item.row["rasterize_mode"], item.row["eps2d"]
    return render_object_page(card.name, Gaussians.from_row(item.row), mode, eps2d, card)


def ply_page(path: Path) -> str:
    """The page of a splat in 3DGS's PLY layout.

    Raises:
        AssetError: it is not one.
    """
    from pipeline.report.object_page import render_object_page
    from pipeline.values.ply import read_ply

    read = read_ply(path)
    mode, eps2d = read.rasterize_mode or "classic", read.eps2d if read.eps2d is not None else CLASSIC_EPS2D
    return render_object_page(path.name, read.splat, mode, eps2d, card=None)


if __name__ == "__main__":
    sys.exit(exit_code(main))
