"""Config of the report stage."""

from pipeline.base.settings import Section, runtime


class ReportConfig(Section):
    """What the report shows."""

    title: str = ""
    """Title of the report; empty: the name of the corpus's folder."""
    max_objects: int = 5000
    """Objects in the gallery, each with a page of about 0.4 MB; any more are counted but not shown."""
    worst_captions: int = 20
    """Number of worst-fitting captions to show."""
    threads: int = runtime(4)
    """Objects rendered concurrently."""
