"""Config of the assets stage."""

from pipeline.settings import Section, runtime


class AssetsConfig(Section):
    """Which assets a corpus is made of."""

    source: str = "folder"
    """Registered asset source: folder | sh3f | manifest | objaverse | objaverse-xl."""
    path: str = ""
    """What the source reads. folder: a folder of assets, or one asset; sh3f: .sh3f files, joined by commas; manifest: a
    .csv or .parquet table of addresses; objaverse: a text file of uids, or nothing for all; objaverse-xl: parts of it
    (github, sketchfab, smithsonian, github-alignment, sketchfab-alignment), joined by commas, or nothing for the first
    three."""
    licenses: str = ""
    """Licences (joined by commas, in any case) of the objects that are let in; empty: any."""
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
    keep_free_bytes: int = runtime(1_000_000_000, ge=0)
    """The run stops before a fetch that finds less room than this on the corpus' disk; not known of buckets."""
    max_corpus_bytes: int = runtime(0, ge=0)
    """The run stops before a fetch once the stored assets of the corpus take so much; 0: any. Files that are on their
    way then are still stored."""
    batch_size: int = runtime(8)
    endpoint: str = runtime("")
    """objaverse and objaverse-xl: address of the hub or of a mirror; empty: HF_ENDPOINT, else https://huggingface.co."""
    cache: str = runtime("")
    """objaverse and objaverse-xl: folder that keeps the datasets' annotations; empty: clip-gs-corpus/objaverse in the
    user's cache."""
    github: str = runtime("https://raw.githubusercontent.com")
    """objaverse-xl: address of GitHub's files, or of a mirror: ADDRESS/OWNER/REPOSITORY/COMMIT/PATH."""
    github_lfs: str = runtime("https://media.githubusercontent.com/media")
    """objaverse-xl: the same for files in Git's Large File Storage."""
    downloads: int = runtime(4, ge=1)
    """Files that one worker fetches at once."""
    requests_per_second: float = runtime(5.0, ge=0)
    """Requests that one worker makes at most; 0: any number."""
    retries: int = runtime(5, ge=0)
    """Further attempts at a file after the first (server overloaded, line broken or silent)."""
    backoff_s: float = runtime(1.0, ge=0)
    """Base of the growing waits between these attempts, where the server does not name a time itself."""
    connect_timeout_s: float = runtime(10.0, gt=0)
    """Time for a connection."""
    read_timeout_s: float = runtime(30.0, gt=0)
    """How long a server may be silent."""
    timeout_s: float = runtime(600.0, gt=0)
    """Time for one file, with all attempts and waits."""
