"""Planning all of Objaverse 1.0 and of Objaverse-XL: seconds and memory of the plan, and of the commands after it."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from benchmarks.objaverse.campaign import Servers
from benchmarks.objaverse.dataset import (
    FOLDERS,
    GITHUB_ROWS,
    LVIS_OBJECTS,
    OBJECTS,
    ODD,
    SMITHSONIAN_ROWS,
    make_uids,
    write_objaverse,
    write_xl,
)
from pipeline import Corpus

HEX_UID = r"^[0-9a-f]{32}$"
# Plans as the first run does, and stops before it fetches anything.
PLAN = """
import sys
from pathlib import Path
from pipeline.assets.config import AssetsConfig
from pipeline.stages.config import Config
from pipeline.state.planning import ensure_planned
from pipeline import Corpus
source, cache, corpus = sys.argv[1:]
Path(corpus).mkdir(parents=True)
assets = AssetsConfig(source=source, cache=cache, requests_per_second=0)
print(ensure_planned(Corpus(corpus), Config(assets=assets)).model_dump_json(include={"objects", "shards"}))
"""


@dataclass(frozen=True)
class Measured:
    seconds: float
    mb: float
    output: str

    def figures(self, name: str) -> dict[str, float]:
        return {f"{name}_seconds": round(self.seconds, 1), f"{name}_mb": round(self.mb)}


def write_files(hub: Path) -> None:
    """All files of both datasets in their true form and size but for the objects themselves; some minutes, 1.5 GB."""
    if (hub / "whole").exists():
        return
    dataset = make_uids(OBJECTS, ODD, FOLDERS)
    write_objaverse(hub, dataset, LVIS_OBJECTS, broken=True)
    write_xl(hub, dataset, GITHUB_ROWS, SMITHSONIAN_ROWS)
    (hub / "whole").touch()


def plan_figures(source: str, name: str, servers: Servers, scratch: Path) -> dict[str, float]:
    """Plan, then ask for the plan and the status of what was planned."""
    corpus, environment = scratch / f"corpus-{name}", {"HF_ENDPOINT": servers.urls["hub"], "NO_PROXY": "127.0.0.1"}
    planned = measure(["-c", PLAN, source, str(scratch / "cache"), str(corpus)], environment)
    figures = planned.figures(f"plan_{name}") | _counts(Corpus(corpus), name)
    for command in ("plan", "status"):
        flags = ["--stage", "assets", "--corpus", str(corpus), f"--{command}"]
        asked = measure(["-m", "pipeline.run", *flags], environment)
        print(asked.output, flush=True)
        figures |= asked.figures(f"ask_{command}_{name}")
    return figures


def _counts(corpus: Corpus, name: str) -> dict[str, float]:
    planned, odd = 0, 0
    with corpus.parquet(corpus.path("index.parquet")) as file:
        for batch in file.iter_batches(100_000, columns=["uid"]):
            planned += batch.num_rows
            odd += batch.num_rows - pc.sum(pc.match_substring_regex(batch.column("uid"), HEX_UID)).as_py()
    unplanned = 0
    if corpus.exists("unplanned.parquet"):
        with corpus.parquet(corpus.path("unplanned.parquet")) as file:
            unplanned = file.metadata.num_rows
    counts = {f"planned_{name}": planned, f"unplanned_{name}": unplanned}
    return counts | ({"odd_uids": odd} if name == "1_0" else {})


def measure(arguments: list[str], environment: dict[str, str]) -> Measured:
    """Seconds and the largest memory of a Python process.

    Raises:
        RuntimeError: it failed.
    """
    started = time.monotonic()
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise RuntimeError(f"{' '.join(arguments[:2])} failed: {output[-500:]}")
    return Measured(time.monotonic() - started, usage.ru_maxrss / 1024, re.sub(r"\s+\n", "\n", output))
