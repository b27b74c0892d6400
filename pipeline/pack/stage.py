"""The pack stage: the corpus' tables joined into triplets that any Parquet reader opens."""

import shutil
import statistics
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.corpus import Corpus
from pipeline.errors import ConfigError
from pipeline.leftovers import owned_name, remove_dead
from pipeline.pack.attribution import write_attribution
from pipeline.pack.card import render_card
from pipeline.pack.config import PackConfig
from pipeline.pack.files import plan_files, write_file
from pipeline.pack.manifest import build_manifest
from pipeline.pack.survey import SPLITS, Survey, survey_corpus
from pipeline.stage import CorpusStage

FOLDER = "triplets"
UNFINISHED = f"{FOLDER}.tmp-"


class PackStage(CorpusStage):
    """Writes CORPUS/triplets: Parquet files by split, README.md (dataset card), manifest.json, ATTRIBUTION.csv.

    The same corpus and config give the same bytes. The folder takes the place of an older one only when it is whole.
    """

    name = "pack"
    after = ("assets", "render", "fit", "caption", "embed")
    config: PackConfig

    def run(self, corpus: Corpus) -> Mapping[str, Any]:
        """Pack the corpus; the figures count triplets, by split, and what was left out, by reason.

        Raises:
            ConfigError: nothing is left to pack.
        """
        survey = survey_corpus(corpus, self.config)
        if not survey.packed:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(survey.left_out.items()))
            raise ConfigError(f"pack: none of {survey.objects} objects can be packed ({reasons or 'empty corpus'})")
        files = plan_files(survey.packed, self.config.file_bytes)
        remove_leftovers(corpus)
        folder = UNFINISHED + owned_name()
        try:
            with ThreadPoolExecutor(self.config.threads) as pool:
                paths = [corpus.path(folder, item.split, item.name) for item in files]
                writes = [
                    pool.submit(write_file, corpus, path, item, self.config)
                    for path, item in zip(paths, files, strict=True)
                ]
                for write in writes:
                    write.result()
            with corpus.atomic_file(corpus.path(folder, "ATTRIBUTION.csv")) as file:
                write_attribution(corpus, survey.packed, file)
            manifest = build_manifest(corpus, folder, files, survey, self.config.content())
            corpus.write_text(render_card(survey, manifest), folder, "README.md")
            corpus.write_json(manifest, folder, "manifest.json")
            take_place(corpus, folder)
        finally:
            if corpus.exists(folder):
                corpus.filesystem.rm(corpus.path(folder), recursive=True)
        return figures(survey, manifest)


def figures(survey: Survey, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the runner keeps of a pack: counts, bytes per object, median PSNR (dB)."""
    by_split = {split: sum(item.split == split for item in survey.packed) for split in SPLITS}
    total_bytes = sum(entry["bytes"] for entry in manifest["files"])
    return {
        "triplets": len(survey.packed),
        **{f"triplets_{split}": count for split, count in by_split.items()},
        "files": len(manifest["files"]),
        "bytes": total_bytes,
        "bytes_per_object": round(total_bytes / len(survey.packed)),
        "psnr_median": statistics.median(survey.measures["psnr"]),
        **{f"left_out_{reason}": count for reason, count in manifest["left_out"].items()},
    }


def remove_leftovers(corpus: Corpus) -> None:
    """Undo what a killed pack left: its unfinished folder, and an old folder that it had moved aside."""
    if corpus.is_local:
        remove_dead(Path(corpus.path()), prefix=UNFINISHED)
    if corpus.exists(f"{FOLDER}.old"):
        if corpus.exists(FOLDER, "manifest.json"):
            corpus.filesystem.rm(corpus.path(f"{FOLDER}.old"), recursive=True)
        else:
            move(corpus, f"{FOLDER}.old", FOLDER)


def take_place(corpus: Corpus, folder: str) -> None:
    """Put a whole folder where the old one is: two renames on a local disk, copies in a bucket."""
    if corpus.exists(FOLDER):
        move(corpus, FOLDER, f"{FOLDER}.old")
    move(corpus, folder, FOLDER)
    if corpus.exists(f"{FOLDER}.old"):
        corpus.filesystem.rm(corpus.path(f"{FOLDER}.old"), recursive=True)


def move(corpus: Corpus, source: str, target: str) -> None:
    """Rename a folder of the corpus."""
    if corpus.is_local:
        shutil.move(corpus.path(source), corpus.path(target))
    else:
        corpus.filesystem.mv(corpus.path(source), corpus.path(target), recursive=True)
