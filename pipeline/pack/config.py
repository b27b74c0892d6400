"""Config of the pack stage."""

from typing import Literal

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
    max_similarity: float = 0.0
    """Objects whose mean image embedding has this cosine, or more, to that of an earlier one are left out; 0: none."""
    views: int = 0
    """Keep so many views, evenly spaced, with their cameras and embeddings; 0: all."""
    image_size: int = 0
    """Width in pixels to which views are resized, intrinsics with them; 0: as rendered."""
    image_format: Literal["keep", "webp", "jpeg", "png"] = "keep"
    """keep: lossless RGBA WebP, as rendered; webp: lossy, with alpha; jpeg: on white, no alpha; png: lossless."""
    image_quality: int = 90
    """1 to 100, of webp and jpeg."""
    file_bytes: int = 400_000_000
    """A file is closed once its rows took this many bytes in the shards."""
    row_group_bytes: int = 64_000_000
    """A row group is closed before it is larger than this, uncompressed (the Hub's viewer refuses 100 MB)."""
    threads: int = runtime(4)
    """Files that are written at once on one machine, each by a process of one thread that takes about 300 MB."""
