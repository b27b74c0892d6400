"""What Prometheus would read of a run under Ray: the metrics port of a real node, scraped while the run goes on.

`python -m benchmarks.cluster.metrics`, half a minute: a Ray of its own, fake stages that sleep, and a scrape every
second.
"""

import os
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

import ray
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.cluster import NAME
from benchmarks.record import record
from fakes import stages as fake_stages
from fakes.corpus import fake_config
from pipeline import Corpus
from pipeline.executors import ray as executor
from pipeline.state.planning import ensure_planned
from pipeline.work.job import Job

OBJECTS = 24
LIMIT_S = 120.0  # Ray's processes report every ten seconds
NOTES = (
    f"{OBJECTS} objects, one of them broken, through three sleeping stages; the port is scraped every second. Seconds "
    "are those from the end of the run until all of it is seen, of which Ray's report takes ten."
)


def main() -> None:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", fake_stages.SLOW: "0.5"}
    fake_stages.register()
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    _wait_until(lambda: scrape() is not None)
    uids = ["broken", *(f"object-{i:02d}" for i in range(OBJECTS - 1))]
    config = fake_config(",".join(uids))
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder, "corpus"))
        chains = {shard: ["assets", "render", "fit"] for shard in range(ensure_planned(corpus, config).shards)}
        run = threading.Thread(target=executor.run, args=(Job(corpus, config), chains, 2, lambda report: None))
        run.start()
        _wait_until(lambda: counted("objects_done") > 0 or not run.is_alive())
        seen_during = counted("objects_done")
        run.join()
        ended = time.monotonic()
        _wait_until(lambda: counted("objects_done") == 3 * (OBJECTS - 1))
    figures = {
        "metrics_objects_seen_during_the_run": int(seen_during),
        "metrics_objects_done": int(counted("objects_done")),
        "metrics_objects_failed": int(counted("objects_failed")),
        "metrics_stage_seconds": round(counted("stage_seconds"), 1),
        "metrics_seconds_until_all_is_seen": round(time.monotonic() - ended, 1),
    }
    print(record(NAME, figures, NOTES, part="metrics").read_text(encoding="utf-8"))


def counted(metric: str) -> float:
    """The sum over all stages of one of the run's counters."""
    return (scrape() or {}).get(f"ray_clip_gs_{metric}_total", 0.0)


def scrape() -> dict[str, float] | None:
    """Every metric of this node, summed over its labels; None while nobody answers."""
    [node] = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    values: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name] += sample.value
    return values


def _wait_until(condition) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not happen")
        time.sleep(1)


if __name__ == "__main__":
    main()
