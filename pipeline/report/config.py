"""Config of the report stage."""

from pydantic import Field

from pipeline.base.settings import Section, runtime


class ReportConfig(Section):
    """What the report shows."""

    title: str = ""
    """Title of the report; empty: the name of the corpus's folder."""
    max_objects: int = Field(5000, ge=0)
    """Objects in the gallery, each with a page of about 0.4 MB; any more are counted but not shown."""
    worst_captions: int = Field(20, ge=0)
    """Number of worst-fitting captions to show."""
    threads: int = runtime(4, ge=1)
    """Objects rendered concurrently."""
