"""What a corpus of a million objects costs those who plan, look and pack: seconds and memory, with simulated stages.

`python -m benchmarks.cluster.scale` (`--objects 1000000`, some ten minutes and 3 GB of a local disk). The index and the
records are those of a real corpus, and so are all columns that packing looks at; images, points and Gaussians are tiny.
Each step is measured in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.cluster import NAME
from benchmarks.record import record
from fakes.synthetic_corpus import object_row
from pipeline import Corpus
from pipeline.assets.sources import SOURCES, AssetSource, Fetched
from pipeline.base.settings import content_hash
from pipeline.command.status import corpus_status
from pipeline.pack.config import PackConfig
from pipeline.pack.files import plan_files
from pipeline.pack.survey import survey_corpus
from pipeline.stages.config import Config
from pipeline.stages.registry import SHARD_STAGES
from pipeline.state.lineage import stage_content
from pipeline.state.planning import ensure_planned
from pipeline.state.records import read_manifest
from pipeline.state.verify import verify
from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import INDEX, TABLES
from pipeline.store.shard_record import ShardRecord
from pipeline.work.agenda import make_agenda
from pipeline.work.job import Job

NOTES = (
    "A corpus of trivial rows, of which only the small columns, the records and the index are real. Seconds hold for a "
    "machine that had other work; CPU seconds are of the step alone."
)
SPENT = {"seconds": 1.0, "setup_seconds": 0.0, "cpu_seconds": 1.0, "code_version": "simulated"}  # says every record


class SimulatedSource(AssetSource):
    """As many objects as `assets.path` says."""

    def plan(self) -> Iterator[Row]:
        for number in range(int(self.config.path)):
            empty = dict.fromkeys(name for name in INDEX.names if name not in ("shard",))
            uid = content_hash(number)
            yield empty | {"uid": uid, "source": "simulated", "origin_uri": f"simulated:{uid}", "tags": [], "split": ""}

    def fetch(self, row: Row, folder: Path) -> Fetched:
        raise AssertionError("nothing is fetched: the tables are made here")


def simulated_config(objects: int) -> Config:
    SOURCES["simulated"] = "benchmarks.cluster.scale:SimulatedSource"
    return Config.model_validate({"assets": {"source": "simulated", "path": str(objects)}})


def plan(corpus: Corpus, config: Config) -> None:
    ensure_planned(corpus, config)


def fill(corpus: Corpus, config: Config) -> None:
    """Every table of every shard, as the stages would have left it; not measured."""
    row = object_row(0, objects=3, views=2, size=4, num_gaussians=4)
    template = {
        entry.writes: table_from_rows([{name: row[name] for name in TABLES[entry.writes].names}], TABLES[entry.writes])
        for entry in SHARD_STAGES.values()
    }
    shards: dict[int, list[str]] = {}
    for planned in corpus.read_index(["uid", "shard"]):
        shards.setdefault(planned["shard"], []).append(planned["uid"])
    planning_hash = read_manifest(corpus).planning_hash
    contents = {stage: stage_content(stage, config, SHARD_STAGES) for stage in SHARD_STAGES}
    for shard, uids in shards.items():
        outputs = {"index": dict.fromkeys(uids, planning_hash)}
        for stage, entry in SHARD_STAGES.items():
            tables = [outputs[table] for table in entry.reads]
            joined = {uid: content_hash([table[uid] for table in tables]) for uid in uids}
            outputs[entry.writes] = {uid: content_hash([stage, uid]) for uid in uids}
            with corpus.table_writer(corpus.shard_path(entry.writes, shard), TABLES[entry.writes]) as writer:
                writer.write_table(_for_objects(template[entry.writes], uids))
                inputs = tables[0] if len(tables) == 1 else joined
                made = ShardRecord.of(stage, contents[stage], inputs, outputs[entry.writes], **SPENT)
                writer.set_record(made)


def _for_objects(template: pa.Table, uids: Sequence[str]) -> pa.Table:
    """The row of `template` for each object, with what tells objects apart."""
    table = template.take(pa.array([0] * len(uids)))
    for column in ("uid", "sha256"):
        if column in table.column_names:
            place = table.schema.get_field_index(column)
            table = table.set_column(place, table.schema.field(place), pa.array(uids))
    return table


def status(corpus: Corpus, config: Config) -> None:
    corpus_status(corpus, config, _shards(corpus), workers=2)


def agenda(corpus: Corpus, config: Config) -> None:
    make_agenda(Job(corpus, config), list(SHARD_STAGES), _shards(corpus))


def verify_quick(corpus: Corpus, config: Config) -> None:
    problems = verify(corpus, config, _shards(corpus), quick=True).problems
    assert not problems, problems[:3]


def pack_plan(corpus: Corpus, config: Config) -> None:
    survey = survey_corpus(corpus, PackConfig())
    plan_files(survey.packed, PackConfig().file_bytes, "simulated")
    assert len(survey.packed) == survey.objects, survey.left_out


MEASURED = {"plan": plan, "status": status, "agenda": agenda, "verify_quick": verify_quick, "pack_plan": pack_plan}
STEPS = {"plan": plan, "fill": fill, **MEASURED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--folder", help="for the corpus; without it, the folder for temporary files")
    parser.add_argument("--step", choices=STEPS, help="one step, in this process, in the corpus at --folder")
    options = parser.parse_args()
    if options.step:
        STEPS[options.step](Corpus(options.folder), simulated_config(options.objects))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures: dict[str, float] = {"simulated_objects": options.objects}
        for step in STEPS:
            measured = _measure(step, options.objects, folder)
            print(step, measured, flush=True)
            if step in MEASURED:
                figures |= {f"simulated_{step}_{key}": value for key, value in measured.items()}
        record(NAME, figures, NOTES, part="scale")


def _measure(step: str, objects: int, folder: str) -> dict[str, float]:
    """Seconds, CPU seconds and megabytes of a step in a process of its own."""
    arguments = ["--objects", str(objects), "--folder", str(Path(folder, "corpus")), "--step", step]
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.cluster.scale", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"step {step} failed")
    seconds, cpu = time.monotonic() - started, usage.ru_utime + usage.ru_stime
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "mb": round(usage.ru_maxrss / 1024)}


def _shards(corpus: Corpus) -> range:
    return range(read_manifest(corpus).shards)


if __name__ == "__main__":
    main()
