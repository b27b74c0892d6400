"""Ray on few and on many CPUs: no run waits for ever, and next to nothing travels through the object store."""

import json
import os
import subprocess
import sys

import pytest

OBJECT_STORE_BYTES = 50_000_000
RUN = """
import json, sys
import ray
from ray._private.internal_api import node_stats
from pipeline import Corpus
from pipeline.executors import ray as executor
from pipeline.work.job import Job
from pipeline.state.planning import ensure_planned
from fakes import stages as fake_stages
from fakes.corpus import fake_config, uids_of

folder, cpus = sys.argv[1], int(sys.argv[2])
ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
fake_stages.register()
config, corpus = fake_config(assets={"shard_size": 1}), Corpus(folder)
shards = ensure_planned(corpus, config).shards
chains = {shard: ["assets", "render", "fit"] for shard in range(shards)}
executor.run(Job(corpus, config), chains, 0, lambda report: None)
[node] = ray.nodes()
stored = node_stats(node["NodeManagerAddress"], node["NodeManagerPort"]).store_stats.cumulative_created_bytes
print(json.dumps({"uids": uids_of(corpus, "gaussians"), "bytes": stored}))
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_a_run_ends_on_any_number_of_cpus(tmp_path, cpus):
    command = [sys.executable, "-c", RUN, str(tmp_path / "corpus"), str(cpus)]
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["uids"] == ["ant", "bee", "cat", "dog", "gnu"]
    assert result["bytes"] < OBJECT_STORE_BYTES
