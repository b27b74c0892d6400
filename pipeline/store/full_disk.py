"""A full disk: how it is recognised, and what to do about it."""

import errno
import shutil
import tempfile

from pipeline.store.corpus_store import CorpusStore

_FULL = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "the quota is exceeded",
    errno.EFBIG: "the file size limit is reached",
}
_GB = 1e9


def is_full(error: BaseException) -> bool:
    """Whether an error means that no more can be written: no object is at fault, and the next would fail too."""
    return isinstance(error, OSError) and error.errno in _FULL


def what_is_full(error: OSError, corpus: CorpusStore) -> str:
    """What is full, and the cure, for an error of which `is_full` is true."""
    places = {"scratch folder (TMPDIR)": tempfile.gettempdir()}
    if corpus.is_local:
        places = {"corpus": corpus.root} | places
    left = {f"{name} {path}": shutil.disk_usage(path).free / _GB for name, path in places.items()}
    free = ", ".join(f"{place}: {gigabytes:.2f} GB free" for place, gigabytes in left.items())
    return f"{_FULL[error.errno or errno.ENOSPC]} ({error}): make room ({free})"
