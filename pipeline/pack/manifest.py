"""manifest.json: what a packed folder must contain, byte by byte, and the check that it still does."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pipeline.corpus import Corpus
from pipeline.pack.files import PlannedFile
from pipeline.pack.survey import Survey
from pipeline.version import code_version

CHUNK = 1 << 22


def build_manifest(
    corpus: Corpus, folder: str, files: list[PlannedFile], survey: Survey, config: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of the files that lie in `folder` (a path inside the corpus)."""
    entries = []
    for planned in files:
        path = f"{planned.split}/{planned.name}"
        sha256, size = file_digest(corpus, folder, path)
        entries.append({"path": path, "rows": len(planned.objects), "bytes": size, "sha256": sha256})
    return {
        "code": f"clip-gs-corpus {code_version()}",
        "config": dict(config),
        "objects": survey.objects,
        "triplets": len(survey.packed),
        "left_out": dict(sorted(survey.left_out.items())),
        "files": entries,
    }


def file_digest(corpus: Corpus, *parts: str) -> tuple[str, int]:
    """SHA-256 (hex) and length of a file of the corpus."""
    digest, size = hashlib.sha256(), 0
    with corpus.filesystem.open(corpus.path(*parts), "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def check_folder(folder: Corpus) -> list[str]:
    """What is wrong with a packed folder (or a downloaded copy of it), one line per file; empty: nothing.

    Raises:
        FileNotFoundError: the folder has no manifest.json.
    """
    problems = []
    for entry in folder.read_json("manifest.json")["files"]:
        path = entry["path"]
        if not folder.exists(path):
            problems.append(f"{path}: not there; download it again")
            continue
        sha256, size = file_digest(folder, path)
        if size != entry["bytes"]:
            problems.append(f"{path}: {size} bytes instead of {entry['bytes']}; download it again")
        elif sha256 != entry["sha256"]:
            problems.append(f"{path}: its SHA-256 is not that of the manifest; download it again")
        else:
            with folder.parquet(folder.path(path)) as file:
                rows = file.metadata.num_rows
            if rows != entry["rows"]:
                problems.append(f"{path}: {rows} rows instead of {entry['rows']}")
    return problems
