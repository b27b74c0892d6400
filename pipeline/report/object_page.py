"""The page of one object: its splat turns in the browser, beside pictures, caption and facts."""

import base64
from importlib.resources import files
from urllib.parse import quote

from markupsafe import Markup

from fit_gaussians.gaussians import Gaussians
from fit_gaussians.spz import spz_bytes
from pipeline.report.gallery import Card
from pipeline.report.page import environment, page_style

VIEWER = files("pipeline.report") / "viewer"
VIEWER_FILES = ("viewer.js", "viewer.LICENSES.txt")


def object_file(uid: str) -> str:
    """File name of an object's page."""
    return f"{uid}.html"


def object_href(uid: str) -> str:
    """The link from the report to an object's page."""
    return f"objects/{quote(object_file(uid))}"


def render_object_page(
    title: str, splat: Gaussians, rasterize_mode: str, eps2d: float, card: Card | None, viewer_href: str = ""
) -> str:
    """One HTML document.

    Args:
        card: what else there is to show of the object; None for a bare splat.
        viewer_href: where viewer.js lies, relative to the page; empty: it is put into the page.
    """
    antialiased = rasterize_mode == "antialiased"
    return (
        environment()
        .get_template("object.html.j2")
        .render(
            title=title,
            style=page_style(),
            card=card,
            count=len(splat),
            splat=base64.b64encode(spz_bytes(splat, antialiased)).decode("ascii"),
            antialiased=antialiased,
            eps2d=eps2d,
            viewer_href=viewer_href,
            viewer="" if viewer_href else Markup((VIEWER / "viewer.js").read_text(encoding="utf-8")),
        )
    )
