"""Pages: templates and style put together. Everything in them is escaped unless it is ours."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import charts
from pipeline.report.pictures import DIFFERENCE_GAIN

FOLDER = files("pipeline.report")


def render_template(name: str, **values: Any) -> str:
    """One HTML document; `values` are what the template shows."""
    template = environment().get_template(name)
    return template.render(style=page_style(), chart=charts, difference_gain=DIFFERENCE_GAIN, **values)


@cache
def environment() -> Environment:
    """Where templates come from; what they show is escaped."""
    made = Environment(
        loader=PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["duration"] = duration
    made.filters["size"] = size
    return made


def page_style() -> Markup:
    """The style sheet, to be put into a page."""
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 48 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def size(count: float) -> str:
    """Bytes as a person reads them, decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
