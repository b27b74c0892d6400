"""The pack stage: the corpus's tables joined into triplets that any Parquet reader opens."""

import statistics
from collections.abc import Mapping
from functools import partial
from typing import Any

from pipeline.base.errors import ConfigError
from pipeline.pack.attribution import write_attribution
from pipeline.pack.card import render_card, render_citation
from pipeline.pack.config import PackConfig
from pipeline.pack.files import PlannedFile, plan_files, write_file
from pipeline.pack.generation import NewFiles, remove_older
from pipeline.pack.manifest import build_manifest
from pipeline.pack.survey import Survey, survey_corpus
from pipeline.stages.stage import CorpusStage, one_by_one
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.joined_table import read_joined_tables
from pipeline.store.packed import FOLDER, MANIFEST, PackedFile, PackedManifest, read_packed_manifest
from pipeline.store.schema import SPLITS

BESIDE = ("README.md", "ATTRIBUTION.csv", "CITATION.cff")
WRITER_GB = 0.5  # memory of a process that writes a file: about two row groups, and Python


class PackStage(CorpusStage[PackConfig]):
    """Writes CORPUS/triplets: Parquet by split, README.md (dataset card), ATTRIBUTION.csv, CITATION.cff, manifest.json.

    The same corpus and config give the same bytes. What was packed before stays readable until all of it is there.
    """

    name = "pack"
    after = ("assets", "render", "fit", "caption", "embed")
    spread_bytes = 100_000_000  # less is written before other processes have even started

    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        """Pack the corpus; the figures count triplets, by split, and what was left out, by reason.

        Raises:
            ConfigError: nothing is left to pack.
        """
        survey = survey_corpus(corpus, self.config)
        if not survey.packed:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(survey.left_out.items()))
            raise ConfigError(f"pack: none of {survey.objects} objects can be packed ({reasons or 'empty corpus'})")
        generation = survey.generation(self.config)
        files = plan_files(survey.packed, self.config.file_bytes, generation)
        with NewFiles(corpus) as new:
            write = partial(_write, corpus, self.config)
            items = [(new.path(file.path), file) for file in files]
            large = sum(item.stored_bytes for item in survey.packed) >= self.spread_bytes
            spread = self.spread if large else one_by_one
            written = spread(write, items, at_once=self.config.threads, memory_gb=WRITER_GB)
            new.take_place()
        with corpus.atomic_file(corpus.path(FOLDER, "ATTRIBUTION.csv")) as file:
            write_attribution(corpus, survey.packed, file)
        manifest = build_manifest(written, survey, generation, self.config.content())
        corpus.write_text(render_citation(manifest), FOLDER, "CITATION.cff")
        corpus.write_text(render_card(survey, manifest, read_joined_tables(corpus)) + "\n", FOLDER, "README.md")
        corpus.write_record(manifest, FOLDER, MANIFEST)
        remove_older(corpus, manifest)
        return figures(survey, manifest)

    def files(self, corpus: CorpusStore) -> list[str]:
        packed = [file.path for file in read_packed_manifest(corpus, FOLDER).files]
        return [f"{FOLDER}/{name}" for name in (MANIFEST, *BESIDE, *packed)]


def _write(corpus: CorpusStore, config: PackConfig, item: tuple[str, PlannedFile]) -> PackedFile:
    """Write one file at the path given with it."""
    path, planned = item
    return write_file(corpus, path, planned, config)


def figures(survey: Survey, manifest: PackedManifest) -> dict[str, Any]:
    """What the runner keeps of a pack: counts, bytes per object, median PSNR (dB)."""
    by_split = {split: sum(item.split == split for item in survey.packed) for split in SPLITS}
    total_bytes = sum(entry.bytes for entry in manifest.files)
    return {
        "triplets": len(survey.packed),
        **{f"triplets_{split}": count for split, count in by_split.items()},
        "files": len(manifest.files),
        "bytes": total_bytes,
        "bytes_per_object": round(total_bytes / len(survey.packed)),
        "psnr_median": statistics.median(survey.measures["psnr"]),
        **{f"left_out_{reason}": count for reason, count in manifest.left_out.items()},
    }
