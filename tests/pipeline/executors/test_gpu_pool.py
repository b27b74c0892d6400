"""The pool of GPU actors: what waits is demand that an autoscaler sees, new GPUs are taken, idle ones given back."""

import json
import os
import subprocess
import sys
import time

import pytest

from fakes.corpus import fake_config, run_all
from pipeline.stages.stage import Resources
from pipeline.work.job import Job, Step
from pipeline.work.policy import Policy

GROWING = """
import json, sys, threading, time
import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.cluster_utils import Cluster
from pipeline import Corpus
from pipeline.executors import ray as executor
from pipeline.work.job import Job
from pipeline.state.planning import ensure_planned
from fakes import stages as fake_stages
from fakes.corpus import fake_config, uids_of

options = {"object_store_memory": 100_000_000}
cluster = Cluster(initialize_head=True, head_node_args=options | {"num_cpus": 2, "include_dashboard": False})
ray.init(cluster.address, log_to_driver=False)
fake_stages.register()
config = fake_config("a,b,c,d", assets={"shard_size": 1}, fit={"backend": "gsplat", "num_gaussians": 3})
corpus = Corpus(sys.argv[1])
chains = {shard: ["assets", "render", "fit"] for shard in range(ensure_planned(corpus, config).shards)}
run = threading.Thread(target=executor.run, args=(Job(corpus, config), chains, 4, lambda report: None), daemon=True)
run.start()


def waiting_gpus():
    demands = get_cluster_status(cluster.address).resource_demands.ray_task_actor_demand
    return sum(each.count for demand in demands for each in demand.bundles_by_count if each.bundle.get("GPU") == 1.0)


while (before := waiting_gpus()) < 4:  # as many as there are steps; nothing else can happen: there is no GPU
    time.sleep(0.1)
cluster.add_node(num_cpus=0, num_gpus=2, **options)
run.join()
while after := waiting_gpus():  # what the cluster was asked for is no longer asked for
    time.sleep(0.1)
print(json.dumps({"uids": uids_of(corpus, "gaussians"), "before": before, "after": after}))
"""


@pytest.mark.ray
@pytest.mark.slow
def test_waiting_steps_are_demand_and_new_gpus_are_taken(tmp_path):
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    command = [sys.executable, "-c", GROWING, str(tmp_path / "corpus")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result == {"uids": ["a", "b", "c", "d"], "before": 4, "after": 0}


@pytest.mark.parametrize("idle_s", [3600.0, 0.0])
def test_an_actor_that_was_idle_for_long_enough_gives_its_gpu_back(new_corpus, ray_cluster, idle_s):
    import ray

    from pipeline.executors.gpu_pool import GpuPool

    config = fake_config("ant", fit={"backend": "gsplat", "num_gaussians": 3})
    corpus = new_corpus(config)
    run_all(corpus, config, ("assets", "render"))
    pool = GpuPool(ray.put(Job(corpus, config)), [Resources(cpus=1, gpus=1)], Policy(gpu_idle_s=idle_s))
    submitted = pool.submit(Step("fit", 0))
    ended = None
    while ended is None:
        [ref], _ = ray.wait(pool.refs(), num_returns=1)
        ended = pool.ready(ref)
    assert ended is submitted and pool.result(ended).done == 1
    deadline = time.monotonic() + (1 if idle_s else 120)
    while not ray.available_resources().get("GPU") and time.monotonic() < deadline:
        assert pool.refs() == []
        time.sleep(0.1)
    assert ray.available_resources().get("GPU", 0.0) == (0.0 if idle_s else 1.0)
    pool.close()
