"""Config of the report stage."""

from pipeline.settings import Section, runtime


class ReportConfig(Section):
    """What the report shows."""

    title: str = ""
    max_objects: int = 5000
    """Objects in the gallery, each with a page of about 0.4 MB; the rest is counted, not drawn."""
    worst_captions: int = 20
    """Captions on the page of those that fit their views worst."""
    threads: int = runtime(4)
    """Objects that are drawn at once."""
