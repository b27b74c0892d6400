"""Config of the pack stage."""

from pipeline.settings import Section, runtime


class PackConfig(Section):
    """Which objects become triplets, and how the files are cut."""

    min_psnr: float = 0.0
    """Objects whose held-out PSNR (dB) is lower are left out; 0: none."""
    min_coverage: float = 0.001
    """Objects that cover a smaller share of their views are left out."""
    min_caption_score: float = 0.0
    """Objects whose caption's best score is lower are left out; 0, or a captioner that gives no scores: none."""
    allow_missing_textures: bool = True
    """False: objects that name a texture which they do not bring are left out."""
    licenses: tuple[str, ...] = ()
    """Only objects under one of these licences, spelled as in the assets table; none named: all."""
    drop_duplicates: bool = True
    """Of assets with the same content and rotation only the first in the corpus is kept."""
    file_bytes: int = 400_000_000
    """A file is closed once it is this large."""
    row_group_bytes: int = 64_000_000
    """A row group is closed before it is larger than this, uncompressed (the Hub's viewer refuses 100 MB)."""
    threads: int = runtime(4)
    """Files that are written at once; each takes a few row groups of memory."""
