"""Config of the assets stage."""

from typing import Self

from pydantic import Field, field_serializer, model_validator

from pipeline.assets.fetch.addresses import without_secrets
from pipeline.base.settings import Section, runtime


class AssetsConfig(Section):
    """Which assets a corpus is made of."""

    source: str = "folder"
    """Registered asset source: folder | sh3f | manifest | objaverse | objaverse-xl."""
    path: str = ""
    """What the source reads. folder: a folder of assets, or one asset; sh3f: .sh3f files, comma-separated; manifest: a
    .csv or .parquet table of URLs; objaverse: a text file of uids, empty: all; objaverse-xl: comma-separated parts
    (github, sketchfab, smithsonian, github-alignment, sketchfab-alignment), empty: the first three."""
    objects: str = ""
    """objaverse and objaverse-xl: a list of the wanted objects (uids, SHA-256, file identifiers): a text file with one
    a line, .csv or .parquet with a header, or .json; empty: all."""
    annotations: str = ""
    """Tables of what others know of the objects, comma-separated: FILE or NAME:FILE (.csv, .parquet, .json, .jsonl;
    NAME is cap3d, trellis500k, objaverse-pp, texverse or lvis), joined by uid, SHA-256 or file identifier."""
    where: str = ""
    """Keep only objects for which this SQL expression over their columns, joined ones included, is true; empty: all."""
    licenses: str = ""
    """Accepted licences, comma-separated, in any spelling (CC-BY-4.0, MIT License); empty: any."""
    heldout_libraries: str = ""
    """sh3f: file names of libraries whose pieces are all `heldout`, comma-separated."""
    limit: int = Field(0, ge=0)
    """Maximum number of objects, sampled by the hash of the uid so that a larger limit keeps them all; 0: no limit."""
    shard_size: int = Field(64, ge=1)
    """Objects per shard."""
    val_fraction: float = Field(0.05, ge=0, le=1)
    """Fraction of objects in the `val` split, chosen by the hash of the uid and so stable across runs."""
    heldout_fraction: float = Field(0.05, ge=0, le=1)
    """Fraction of objects in the `heldout` split, where the source does not define one."""
    max_bytes: int = Field(500_000_000, ge=1)
    """Largest accepted asset, unpacked."""
    keep_free_bytes: int = runtime(1_000_000_000, ge=0)
    """Stop the run before a fetch if the corpus's disk has less free space than this; not checked for buckets."""
    max_corpus_bytes: int = runtime(0, ge=0)
    """Stop the run before a fetch once the corpus's assets take up this much; 0: no limit. Downloads already under
    way are still stored."""
    batch_size: int = runtime(8, ge=1)
    """Objects fetched as one batch."""
    local: str = runtime("")
    """objaverse and objaverse-xl: folders of a copy of Objaverse 1.0, comma-separated, whose files are used instead of
    fetching them: the cache of the package `objaverse`, a snapshot of the hub, or any folder laid out as these."""
    endpoint: str = runtime("")
    """objaverse and objaverse-xl: URL of the hub or of a mirror, https:// or file://; empty: HF_ENDPOINT, else https://huggingface.co."""
    cache: str = runtime("")
    """objaverse and objaverse-xl: folder for the datasets' annotations; empty: clip-gs-corpus/objaverse in the
    user's cache."""
    github: str = runtime("https://raw.githubusercontent.com")
    """objaverse-xl: URL of GitHub's raw files, or of a mirror: ADDRESS/OWNER/REPOSITORY/COMMIT/PATH."""
    github_lfs: str = runtime("https://media.githubusercontent.com/media")
    """objaverse-xl: the same for files in Git Large File Storage."""
    github_git: str = runtime("https://github.com")
    """objaverse-xl: URL of the repositories themselves, for `git fetch`: ADDRESS/OWNER/REPOSITORY (https:// or
    file://). Where only `github` names a mirror, git is not used."""
    repository_objects: int = runtime(8, ge=0)
    """objaverse-xl: more planned objects of one repository than this are fetched by git, at once, and so is any while
    GitHub limits requests for single files; 0: never."""
    rate_share: float = runtime(0.8, gt=0, le=1)
    """Share of a server's published limit of requests that this machine uses."""
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
    """Time limit for one file, retries included; the time in which its server takes no requests does not count."""

    @model_validator(mode="after")
    def _fractions_of_one_whole(self) -> Self:
        if self.val_fraction + self.heldout_fraction > 1:
            fractions = f"val_fraction ({self.val_fraction:g}) and heldout_fraction ({self.heldout_fraction:g})"
            raise ValueError(f"{fractions} are more than 1 together")
        return self

    @field_serializer("annotations")
    def _without_secrets(self, annotations: str) -> str:
        """What is stored and compared: planning alone reads the tables."""
        return without_secrets(annotations)
