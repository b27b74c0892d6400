"""The memory of a worker process that fits: the stage run as users run it, on a copy of one shard of the corpus."""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import Corpus
from pipeline.store.shard_files import shard_file

ITERATIONS = 30
"""Memory is the same after a few: nothing grows with them."""


def memory_figures(corpus: Corpus) -> dict[str, float]:
    """The largest resident size of any process of the run.

    Measured in a process of its own: to the system, the peak of a child is at least the size of its parent when it was
    started, and the parent may be a benchmark that holds much.
    """
    command = [sys.executable, "-m", "benchmarks.fit.memory", corpus.root]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {"peak_rss_mb": float(output)}


def peak_mb(corpus: Corpus) -> float:
    """Of all processes that this one has waited for, and those that they have waited for.

    The command starts two workers; it is smaller than they are, since it imports neither torch nor Numba.

    Raises:
        subprocess.CalledProcessError: the command failed; its output says why.
    """
    shard = corpus.shards("views")[0]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("corpus.json", "index.parquet"):
            shutil.copyfile(corpus.path(name), Path(folder) / name)
        for table in ("assets", "views"):
            (Path(folder) / table).mkdir()
            shutil.copyfile(corpus.shard_path(table, shard), Path(folder) / table / shard_file(shard))
        command = [sys.executable, "-m", "pipeline.run", "--stage", "fit", "--corpus", folder, "--shards", str(shard)]
        options = {"executor": "local", "workers": 2, "fit.iterations": ITERATIONS, "fit.backend": "numba"}
        for option, value in options.items():
            command += [f"--{option}", str(value)]
        subprocess.run([*command, "--force"], check=True, stdout=sys.stderr)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    print(peak_mb(Corpus(sys.argv[1])))
