"""Packing alone, for benchmarks/dataset: `python -m benchmarks.dataset.packing CORPUS` packs it and prints figures.

A module of its own because worker processes import it: they shall have what packing needs in memory, and no more.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pipeline import Corpus
from pipeline.executors.spread_local import spread
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage
from pipeline.store.schema import INDEX, TRIPLET_TABLES

PASSES = 3  # the fastest counts, and the largest in memory
FILE_BYTES = 100_000_000  # a quarter of the default, so that a small corpus gives files to write side by side


def times_over(corpus: Corpus, target: Path, times: int) -> Corpus:
    """A corpus of the same shards under `times` as many numbers: it takes no room on the disk."""
    larger = Corpus(target)
    rows = corpus.read_index()
    shards = rows[-1]["shard"] + 1
    for table in TRIPLET_TABLES:
        (target / table).mkdir(parents=True)
        for shard in range(shards * times):
            os.link(corpus.shard_path(table, shard % shards), larger.shard_path(table, shard))
    with larger.table_writer(larger.path("index.parquet"), INDEX) as writer:
        for time_ in range(times):
            writer.write([{**row, "shard": row["shard"] + time_ * shards} for row in rows])
    return larger


def pack_apart(corpus: Corpus) -> dict[str, float]:
    """What `pack` says, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.dataset.packing", corpus.uri]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def pack(uri: str) -> dict[str, float]:
    """Packs a corpus on a local disk, by this process and those that it starts; MB are 10^6 bytes of output."""
    walls, rates, peaks = [], [], []
    config = PackConfig(file_bytes=FILE_BYTES, drop_duplicates=False)
    for _ in range(PASSES):
        shutil.rmtree(Path(uri, "triplets"), ignore_errors=True)  # to replace files would wait for the disk
        writers: dict[int, float] = {}
        started, cpu_started = time.perf_counter(), cpu_seconds()
        packed = PackStage(config, partial(spread_noting_memory, writers)).run(Corpus(uri))
        walls.append(packed["bytes"] / 1e6 / (time.perf_counter() - started))
        rates.append(packed["bytes"] / 1e6 / (cpu_seconds() - cpu_started))
        writers[os.getpid()] = peak_rss_mb()
        peaks.append(sum(writers.values()))
    return {
        "pack_mb_per_s": max(walls),
        "pack_mb_per_core_s": max(rates),
        "pack_files": packed["files"],
        "pack_processes": len(writers),
        "pack_rss_mb": max(peaks),
    }


def spread_noting_memory(
    peaks: dict[int, float], function: Callable, items: Sequence, *, at_once: int, memory_gb: float
) -> list:
    """The local executor's `spread`; `peaks` gets the peak RSS (MB) of every process that took part."""
    noted = spread(partial(call_noting_memory, function), items, at_once, memory_gb, workers=0)
    for _, process, peak in noted:  # the peak of a process never falls
        peaks[process] = max(peak, peaks.get(process, 0.0))
    return [result for result, _, _ in noted]


def call_noting_memory(function: Callable, item: object) -> tuple[object, int, float]:
    return function(item), os.getpid(), peak_rss_mb()


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_rss_mb() -> float:
    """Of this process alone: what getrusage says starts with the memory of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(pack(sys.argv[1])))
