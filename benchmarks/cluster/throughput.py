"""What Ray costs over the local executor, what a second CPU brings, and how well `--plan` foretells: on furniture.

`python -m benchmarks.cluster.throughput --assets .cache/samples/KatorLegaz.sh3f` on an idle machine of two CPUs or
more, some four minutes. Renders (raster engine) and fits the same objects in every run, each in a process of its own;
runs of the two executors alternate. Rates are taken between the first and the last finished shard: a start is told by
itself.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.cluster import NAME
from benchmarks.record import record
from pipeline import Corpus
from pipeline.command.status import corpus_plan
from pipeline.executors import local
from pipeline.stages.config import Config
from pipeline.state.planning import ensure_planned
from pipeline.state.records import read_manifest
from pipeline.work.agenda import make_agenda
from pipeline.work.job import Job, ShardReport

STAGES = ["render", "fit"]
SHARD_SIZE = 2
ROUNDS = 2  # of both executors in turn
NOTES = "Furniture, raster engine and fit."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", required=True, help="a furniture library (.sh3f)")
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--run", choices=("local", "ray"), help="one run of this executor, in the corpus at --corpus")
    parser.add_argument("--corpus")
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--cpus", type=int, default=2)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(one_run(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        record(NAME, measure(Path(folder), options.assets, options.objects), NOTES, part="throughput")


def measure(folder: Path, assets: str, objects: int) -> dict[str, float]:
    """All figures, from fresh copies of one corpus."""
    template = folder / "template"
    config = Config.model_validate(
        {
            "assets": {"source": "sh3f", "path": assets, "limit": objects, "shard_size": SHARD_SIZE},
            "render": {"engine": "raster", "views": 24, "resolution": 256},
            "fit": {"num_gaussians": 10_000, "iterations": 60},
        }
    )
    corpus = Corpus(template)
    shards = ensure_planned(corpus, config).shards
    local.run(Job(corpus, config), {shard: ["assets"] for shard in range(shards)}, 1, lambda report: None)

    def run(name: str, executor: str, first: int = 0, count: int = shards, cpus: int = 2) -> dict[str, Any]:
        if not (folder / name).exists():
            shutil.copytree(template, folder / name)
        arguments = ["--corpus", str(folder / name), "--first-shard", str(first), "--shards", str(count)]
        command = [sys.executable, "-m", "benchmarks.cluster.throughput", "--assets", assets, "--run", executor]
        done = subprocess.run(
            [*command, *arguments, "--cpus", str(cpus)], check=True, stdout=subprocess.PIPE, text=True
        )
        result = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}, {count} shards: {result['seconds']:.1f} s", flush=True)
        return result

    run("compiled", "local", 0, 1, cpus=1)  # kernels, which this machine keeps from then on
    head = max(2, shards // 4)
    run("planned", "local", 0, head)
    planned = _planned_seconds(Corpus(folder / "planned"), config, range(head, shards))
    actual = run("planned", "local", head, shards - head)["seconds"]
    runs: dict[str, list[dict[str, Any]]] = {"local": [], "ray": []}
    for number in range(ROUNDS):
        for executor, each in runs.items():
            each.append(run(f"{executor}-{number}", executor))
    alone = rate(run("alone", "local", cpus=1), 1)
    rates = {executor: statistics.mean(rate(each, 2) for each in runs[executor]) for executor in runs}
    start = {executor: statistics.mean(each["start_seconds"] for each in runs[executor]) for executor in runs}
    return {
        "ray_overhead": round(rates["local"] / rates["ray"] - 1, 4),
        "ray_start_extra_seconds": round(start["ray"] - start["local"], 2),
        "efficiency_2": round(rates["local"] / (2 * alone), 4),
        "plan_error": round(abs(planned / actual - 1), 4),
        "plan_seconds": round(planned, 1),
        "plan_actual_seconds": round(actual, 1),
        "throughput_objects": objects,
        "objects_per_hour_2_cpus": round(rates["local"] * 3600),
    }


def one_run(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a run, until its first step began, and when each shard was through, with its objects."""
    os.environ.setdefault("RAY_worker_niceness", "0")  # as local workers have: Ray's would wait for all else there is
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cpus])
    corpus = Corpus(options.corpus)
    config = Config.model_validate(read_manifest(corpus).config)
    chains = {options.first_shard + number: list(STAGES) for number in range(options.shards)}
    reports: list[tuple[float, ShardReport]] = []
    started = time.monotonic()
    executor = import_module(f"pipeline.executors.{options.run}")
    executor.run(Job(corpus, config), chains, 0, lambda report: reports.append((time.monotonic(), report)))
    seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "start_seconds": reports[0][0] - started - reports[0][1].seconds,
        "fitted": [(at - started, report.processed) for at, report in reports if report.stage == STAGES[-1]],
    }


def rate(result: dict[str, Any], cpus: int) -> float:
    """Objects a second, from the moment when every worker has ended its first chain."""
    begin, *later = result["fitted"][cpus - 1 :]
    return sum(count for _, count in later) / (later[-1][0] - begin[0])


def _planned_seconds(corpus: Corpus, config: Config, shards: range) -> float:
    job = Job(corpus, config)
    return corpus_plan(job, make_agenda(job, STAGES, shards), {}, workers=2)["seconds"]


if __name__ == "__main__":
    main()
