"""Config of the pack stage."""

from typing import Literal

from pydantic import Field

from pipeline.base.settings import Section, runtime


class PackConfig(Section):
    """Which objects become triplets, and how they are divided into files."""

    min_psnr: float = Field(0.0, ge=0)
    """Leave out objects whose held-out PSNR (dB) is lower; 0: none."""
    min_coverage: float = Field(0.001, ge=0, le=1)
    """Leave out objects that cover a smaller fraction of their views."""
    min_caption_score: float = Field(0.0, ge=-1, le=1)
    """Leave out objects whose best caption score is lower; 0, or a captioner without scores: none."""
    allow_missing_textures: bool = False
    """Take in objects that refer to a texture of colours which is missing; most of them are grey."""
    licenses: tuple[str, ...] = ()
    """Keep only objects under these licences, in any spelling of them; empty: all."""
    drop_duplicates: bool = True
    """Keep only the first of several assets with the same content and rotation."""
    max_similarity: float = Field(0.0, ge=0, le=1)
    """Leave out objects whose mean image embedding has at least this cosine with that of an earlier one; 0: none."""
    views: int = Field(0, ge=0)
    """Number of views to keep, evenly spaced, with their cameras and embeddings; 0: all."""
    image_size: int = Field(0, ge=0)
    """Width in pixels to which views are resized (intrinsics are adapted); 0: as rendered."""
    image_format: Literal["keep", "webp", "jpeg", "png"] = "keep"
    """keep: lossless RGBA WebP, as rendered; webp: lossy, with alpha; jpeg: on white, no alpha; png: lossless."""
    image_quality: int = Field(90, ge=1, le=100)
    """webp and jpeg: quality from 1 to 100."""
    file_bytes: int = Field(400_000_000, ge=1)
    """Close a file once its rows took up this many bytes in the shards."""
    row_group_bytes: int = Field(64_000_000, ge=1)
    """Maximum size of a row group, uncompressed (the Hub's viewer refuses 100 MB)."""
    threads: int = runtime(4, ge=1)
    """Files written concurrently on one machine, each by a single-threaded process of about 300 MB."""
