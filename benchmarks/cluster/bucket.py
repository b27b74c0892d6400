"""What `--status` of a corpus in a bucket costs where every request is answered after 20 ms: read ahead, or one by one.

`python -m benchmarks.cluster.bucket`, a minute: a real S3 server on loopback (moto), which waits before each answer.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
import requests

from benchmarks.cluster import NAME
from benchmarks.cluster.scale import agenda, fill, plan, simulated_config, status
from benchmarks.record import record
from pipeline import Corpus

OBJECTS = 3200
DELAY_S = 0.02
NOTES = (
    f"{OBJECTS} objects in shards of 64, all five stages done, in a bucket whose server waits {DELAY_S * 1000:.0f} ms "
    "before each answer; server and reader share one machine."
)


def main() -> None:
    figures: dict[str, float] = {"bucket_objects": OBJECTS}
    with delayed_server():
        corpus, config = Corpus("s3://bench/corpus"), simulated_config(OBJECTS)
        fsspec.filesystem("s3").mkdir("bench")
        plan(corpus, config)
        fill(corpus, config)
        delay(DELAY_S)
        for name, threads in (("one_by_one", 0), ("read_ahead", corpus.readers)):
            corpus.readers = threads
            for step in (status, agenda):
                started = time.monotonic()
                step(corpus, config)
                figures[f"bucket_{step.__name__}_{name}_seconds"] = round(time.monotonic() - started, 1)
    print(record(NAME, figures, NOTES, part="bucket").read_text(encoding="utf-8"))


@contextmanager
def delayed_server() -> Iterator[None]:
    """An S3 server, which the environment names to this process."""
    command = [sys.executable, "-m", "fakes.s3_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(process.stdout.readline())}",
                "AWS_ACCESS_KEY_ID": "anybody",
                "AWS_SECRET_ACCESS_KEY": "anything",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            yield
        finally:
            process.kill()


def delay(seconds: float) -> None:
    """From now on the server waits before each answer."""
    faults = {"stalls": 1.0, "stall_s": seconds}
    requests.put(f"{os.environ['AWS_ENDPOINT_URL']}/_faults", json=faults, timeout=10).raise_for_status()


if __name__ == "__main__":
    main()
