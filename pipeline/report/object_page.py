"""The page of one object: its splat turns in the browser, beside pictures, caption and facts."""

import base64
from importlib.resources import files
from urllib.parse import quote

from markupsafe import Markup

from pipeline.report.card import Card
from pipeline.report.page import render_template
from pipeline.report.pictures import data_uri
from pipeline.values.names import file_stem
from pipeline.values.splat import Gaussians
from pipeline.values.spz import spz_bytes

VIEWER = files("pipeline.report") / "viewer"
VIEWER_FILES = ("viewer.js", "viewer.LICENSES.txt")


def object_file(uid: str) -> str:
    """File name of an object's page."""
    return f"{file_stem(uid)}.html"


def object_href(uid: str) -> str:
    """The link from the report to an object's page."""
    return f"objects/{quote(object_file(uid))}"


def render_object_page(
    title: str, splat: Gaussians, rasterize_mode: str, eps2d: float, card: Card | None, report: str = ""
) -> str:
    """One HTML document.

    Args:
        card: what else there is to show of the object; None for a bare splat.
        report: the report's folder, relative to the page, where the viewer and the gallery's index lie; empty: the
            page stands alone and the viewer is put into it.
    """
    antialiased = rasterize_mode == "antialiased"
    return render_template(
        "object.html.j2",
        title=title,
        card=card,
        sheet=data_uri(card.sheet) if card else "",
        count=len(splat),
        splat=base64.b64encode(spz_bytes(splat, antialiased)).decode("ascii"),
        antialiased=antialiased,
        eps2d=eps2d,
        report=report,
        viewer="" if report else Markup((VIEWER / "viewer.js").read_text(encoding="utf-8")),
    )
