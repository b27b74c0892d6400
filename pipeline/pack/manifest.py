"""manifest.json: what a packed folder must contain, byte by byte, and the check that it still does."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.base.version import code_version
from pipeline.pack.survey import Survey
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import PackedFile, PackedManifest, read_packed_manifest


def build_manifest(
    files: Iterable[PackedFile], survey: Survey, generation: str, config: Mapping[str, Any]
) -> PackedManifest:
    """The manifest of these files."""
    return PackedManifest(
        code=f"clip-gs-corpus {code_version()}",
        generation=generation,
        config=dict(config),
        objects=survey.objects,
        triplets=len(survey.packed),
        left_out=dict(sorted(survey.left_out.items())),
        files=tuple(files),
    )


def check_folder(folder: CorpusStore) -> list[str]:
    """What is wrong with a packed folder (or a downloaded copy of it), one line per file; empty if nothing is.

    Raises:
        FileNotFoundError: the folder has no manifest.json.
        ConfigError: its manifest.json is damaged.
    """
    manifest = read_packed_manifest(folder)
    problems = [f"{path}: not in the manifest; remove it" for path in strangers(folder, manifest)]
    for entry in manifest.files:
        path = entry.path
        if not folder.exists(path):
            problems.append(f"{path}: missing; download it again")
            continue
        sha256, size = folder.digest(path)
        if size != entry.bytes:
            problems.append(f"{path}: {size} bytes instead of {entry.bytes}; download it again")
        elif sha256 != entry.sha256:
            problems.append(f"{path}: its SHA-256 is not that of the manifest; download it again")
        else:
            with folder.parquet(folder.path(path)) as file:
                rows = file.metadata.num_rows
            if rows != entry.rows:
                problems.append(f"{path}: {rows} rows instead of {entry.rows}")
    return problems


def strangers(folder: CorpusStore, manifest: PackedManifest) -> list[str]:
    """Parquet files in a packed folder that are not in its manifest: left by a packing that was killed."""
    return sorted(set(folder.parquet_files()) - {entry.path for entry in manifest.files})
