"""Config of the assets stage."""

from pipeline.settings import Section, runtime


class AssetsConfig(Section):
    """Which assets a corpus is made of."""

    source: str = "folder"
    """Registered asset source: folder | sh3f."""
    path: str = ""
    """What the source reads: a folder of assets or one asset, or one or more .sh3f files (several joined by commas)."""
    heldout_libraries: str = ""
    """sh3f: file names (joined by commas) of libraries whose pieces are all `heldout`."""
    limit: int = 0
    """How many objects to take, drawn by the hash of their uid so that a larger limit keeps them all; 0: all."""
    shard_size: int = 64
    """Objects per shard."""
    val_fraction: float = 0.05
    """Share of the objects whose split is `val` (by the hash of the uid, never dealt again)."""
    heldout_fraction: float = 0.05
    """Share of the objects whose split is `heldout`, where the source itself names none."""
    max_bytes: int = 500_000_000
    """Largest asset, unpacked, that is let in."""
    batch_size: int = runtime(8)
