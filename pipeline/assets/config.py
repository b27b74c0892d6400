"""Config of the assets stage."""

from pipeline.base.settings import Section, runtime


class AssetsConfig(Section):
    """Which assets a corpus is made of."""

    source: str = "folder"
    """Registered asset source: folder | sh3f | manifest | objaverse | objaverse-xl."""
    path: str = ""
    """What the source reads. folder: a folder of assets, or one asset; sh3f: .sh3f files, comma-separated; manifest: a
    .csv or .parquet table of URLs; objaverse: a text file of uids, empty: all; objaverse-xl: comma-separated parts
    (github, sketchfab, smithsonian, github-alignment, sketchfab-alignment), empty: the first three."""
    licenses: str = ""
    """Accepted licences, comma-separated, case-insensitive; empty: any."""
    heldout_libraries: str = ""
    """sh3f: file names of libraries whose pieces are all `heldout`, comma-separated."""
    limit: int = 0
    """Maximum number of objects, sampled by the hash of the uid so that a larger limit keeps them all; 0: no limit."""
    shard_size: int = 64
    """Objects per shard."""
    val_fraction: float = 0.05
    """Fraction of objects in the `val` split, chosen by the hash of the uid and so stable across runs."""
    heldout_fraction: float = 0.05
    """Fraction of objects in the `heldout` split, where the source does not define one."""
    max_bytes: int = 500_000_000
    """Largest accepted asset, unpacked."""
    keep_free_bytes: int = runtime(1_000_000_000, ge=0)
    """Stop the run before a fetch if the corpus's disk has less free space than this; not checked for buckets."""
    max_corpus_bytes: int = runtime(0, ge=0)
    """Stop the run before a fetch once the corpus's assets take up this much; 0: no limit. Downloads already under
    way are still stored."""
    batch_size: int = runtime(8)
    """Objects fetched as one batch."""
    endpoint: str = runtime("")
    """objaverse and objaverse-xl: URL of the hub or of a mirror; empty: HF_ENDPOINT, else https://huggingface.co."""
    cache: str = runtime("")
    """objaverse and objaverse-xl: folder for the datasets' annotations; empty: clip-gs-corpus/objaverse in the
    user's cache."""
    github: str = runtime("https://raw.githubusercontent.com")
    """objaverse-xl: URL of GitHub's raw files, or of a mirror: ADDRESS/OWNER/REPOSITORY/COMMIT/PATH."""
    github_lfs: str = runtime("https://media.githubusercontent.com/media")
    """objaverse-xl: the same for files in Git Large File Storage."""
    downloads: int = runtime(4, ge=1)
    """Concurrent downloads per worker."""
    requests_per_second: float = runtime(5.0, ge=0)
    """Maximum request rate per worker; 0: no limit."""
    retries: int = runtime(5, ge=0)
    """Retries per file when the server is overloaded or the connection fails or stalls."""
    backoff_s: float = runtime(1.0, ge=0)
    """Base of the exponential backoff between retries, unless the server specifies a delay."""
    connect_timeout_s: float = runtime(10.0, gt=0)
    """Time limit for connecting."""
    read_timeout_s: float = runtime(30.0, gt=0)
    """Time limit for a server to send something."""
    timeout_s: float = runtime(600.0, gt=0)
    """Time limit for one file, retries and waits included."""
