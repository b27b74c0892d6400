"""Config of the report stage."""

from pipeline.settings import Section


class ReportConfig(Section):
    """What the report shows."""

    title: str = ""
    max_objects: int = 200
    """Objects on the contact sheet; the rest is counted, not drawn."""
