"""Config of the pack stage."""

from pipeline.settings import Section


class PackConfig(Section):
    """Which objects become triplets, and how the files are cut."""

    min_psnr: float = 0.0
    """Objects whose held-out PSNR (dB) is lower are left out; 0: none."""
    min_coverage: float = 0.001
    """Objects that cover a smaller share of their views are left out."""
    file_bytes: int = 400_000_000
    """A file is closed once it is this large."""
    row_group_bytes: int = 64_000_000
