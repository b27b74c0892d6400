"""What a run under Ray tells Prometheus, and whether the Grafana dashboard asks for what there is."""

import json
import re
from contextlib import nullcontext
from pathlib import Path

from fakes.corpus import fake_config
from pipeline.executors import metrics
from pipeline.executors import ray as ray_executor
from pipeline.work.job import Job, ShardReport

DASHBOARD = Path(__file__).resolve().parents[3] / "workflows" / "grafana" / "clip-gs.json"
OURS = {f"ray_clip_gs_{name}_total" for name in ("objects_done", "objects_failed", "stage_seconds")}
OF_RAYS_CORE = {"ray_tasks", "ray_cluster_active_nodes", "ray_object_store_used_memory"}  # as Ray 2.60 serves them
REPORTS = [
    ShardReport("render", shard=0, done=3, failed=1, processed=4, seconds=2.5),
    ShardReport("render", shard=1, done=3, failed=0, processed=0, seconds=0.0),  # was finished before
    ShardReport("fit", shard=0, done=3, failed=0, processed=3, seconds=1.5),
]


def test_a_run_counts_what_its_shards_report(new_corpus, monkeypatch):
    """Ray and its counters are stand-ins."""
    counted = []

    class Counter:
        def __init__(self, name, description, tag_keys):
            self.name = name

        def inc(self, value, tags):
            assert value > 0  # as Ray's own demands
            counted.append((self.name, value, tags["stage"]))

    class Workers:
        def __init__(self, *arguments):
            pass

        def close(self):
            pass

    monkeypatch.setattr(metrics, "Counter", Counter)
    monkeypatch.setattr(ray_executor, "cluster", lambda: nullcontext(False))
    monkeypatch.setattr(ray_executor, "_resources", lambda job, names: dict.fromkeys(names, ray_executor.Resources()))
    monkeypatch.setattr(ray_executor, "RayWorkers", Workers)
    monkeypatch.setattr(ray_executor, "run_chains", lambda job, chains, workers, on_report: [*map(on_report, REPORTS)])
    config, given = fake_config(), []
    ray_executor.run(Job(new_corpus(config), config), {0: ["render", "fit"], 1: ["render"]}, 1, given.append)
    assert given == REPORTS
    assert counted == [
        ("clip_gs_objects_done", 3, "render"),
        ("clip_gs_objects_failed", 1, "render"),
        ("clip_gs_stage_seconds", 2.5, "render"),
        ("clip_gs_objects_done", 3, "fit"),
        ("clip_gs_stage_seconds", 1.5, "fit"),
    ]


def test_the_dashboard_asks_for_metrics_that_there_are():
    from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES

    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = {name for panel in panels for name in re.findall(r"ray_\w+", panel["targets"][0]["expr"])}
    assert asked >= OURS
    assert asked <= OURS | OF_RAYS_CORE | {f"ray_{name}" for name in METRICS_GAUGES}
