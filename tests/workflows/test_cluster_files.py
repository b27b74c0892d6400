"""The cluster files: valid for what reads them, and such that the autoscaler starts what the stages ask for."""

import copy
import functools
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipeline.command.command_line import parse
from pipeline.stages.config import Config
from pipeline.stages.registry import SHARD_STAGES

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
CLUSTERS = WORKFLOWS / "clusters"
RAYJOB_SCHEMA = Path(__file__).with_name("rayjob.schema.json")
GPU_STEP = {"GPU": 1}  # an actor of the GPU pool


@pytest.fixture(params=["aws", "local"])
def cluster(request) -> dict:
    return read(f"{request.param}.yaml")


@pytest.fixture
def rayjob() -> dict:
    return read("kuberay.yaml")


def read(name: str) -> dict:
    return yaml.safe_load((CLUSTERS / name).read_text(encoding="utf-8"))


def prepared(cluster: dict) -> dict:
    """What `ray up` makes of a cluster file before it calls the cloud; raises where the file is not valid."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(copy.deepcopy(cluster))
    validate_config(config)
    return config


def stage_demand(stage: str) -> dict[str, float]:
    """What the Ray executor asks for, for one step of a stage."""
    needs = SHARD_STAGES[stage].load().resources(getattr(Config(), stage))
    return {"CPU": needs.cpus, "memory": needs.memory_gb * 1e9}


def nodes_started_for(node_types: dict, demand: list[dict]) -> dict[str, int]:
    """The nodes that Ray's autoscaler starts for tasks and actors that wait, beside those that always run."""
    from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
    from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for

    scorer = functools.partial(_default_utilization_scorer, node_availability_summary=NodeAvailabilitySummary({}))
    nodes, unfulfilled = get_nodes_for(node_types, {}, "", 100, demand, scorer)
    assert not unfulfilled
    return dict(nodes)


def test_ray_takes_the_cluster_files(cluster):
    prepared(cluster)


@pytest.mark.parametrize(
    "change", [{"max_worker": 3}, {"available_node_types": {"head": {"node_config": {}}}}, {"max_workers": "many"}]
)
def test_ray_refuses_a_wrong_cluster_file(change):
    with pytest.raises(jsonschema.ValidationError):
        prepared(read("aws.yaml") | change)


def test_every_node_gets_the_code_and_the_token(cluster):
    for package in ("caption", "fit_gaussians", "model", "pipeline", "render", "workflows"):
        assert cluster["file_mounts"][f"~/clip-gs/{package}"] == package
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for local in cluster["file_mounts"].values():
        assert local.startswith("~") or (WORKFLOWS.parent / local).exists()
    for command in cluster["setup_commands"]:
        subprocess.run(["bash", "-n", "-c", command], check=True)
    assert "RAY_AUTH_MODE=token" in cluster["setup_commands"][-1]


def test_on_aws_cpu_nodes_render_and_gpu_nodes_fit():
    types = prepared(read("aws.yaml"))["available_node_types"]
    assert nodes_started_for(types, [stage_demand("render")] * 64) == {"cpu": 4}  # 16 on a node, by CPUs and memory
    assert nodes_started_for(types, [GPU_STEP] * 3) == {"gpu": 3}
    assert types["gpu"]["min_workers"] == 2  # the GPU pool takes what is there
    spot = {name for name, kind in types.items() if "InstanceMarketOptions" in kind["node_config"]}
    assert spot == {"cpu", "gpu"}


def test_on_kubernetes_cpu_pods_render_and_gpu_pods_fit(rayjob):
    from ray.autoscaler._private.kuberay import autoscaling_config

    resource = {"metadata": {"name": "clip-gs", "namespace": "default"}, "spec": rayjob["spec"]["rayClusterSpec"]}
    types = autoscaling_config._derive_autoscaling_config_from_ray_cr(resource)["available_node_types"]
    head = types.pop("headgroup")
    assert head["resources"]["CPU"] == 0
    assert nodes_started_for(types, [stage_demand("render")] * 60) == {"cpu": 4}
    assert nodes_started_for(types, [GPU_STEP] * 2) == {"gpu": 2}


def test_the_rayjob_has_the_fields_of_its_kind(rayjob):
    schema = json.loads(RAYJOB_SCHEMA.read_text())
    jsonschema.validate(rayjob, schema)
    rayjob["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minReplica"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rayjob, schema)


def test_the_rayjob_runs_a_command_that_makes_sense(rayjob):
    import ray

    python, dash_m, module, *arguments = shlex.split(rayjob["spec"]["entrypoint"])
    assert (python, dash_m, module) == ("python", "-m", "pipeline.run")
    corpus = arguments.index("--corpus") + 1
    arguments[corpus] = arguments[corpus].replace("s3://", "memory://")  # parsing looks for the corpus
    arguments[arguments.index("--config") + 1] = str(WORKFLOWS / "objaverse.yaml")
    assert parse(arguments).options.executor == "ray"
    assert rayjob["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_the_slurm_script_starts_ray_on_all_nodes(tmp_path):
    """The commands of Slurm are stand-ins that say what they were told."""
    stubs = {
        "scontrol": 'echo "node07\nnode08"',
        "srun": 'echo "$RAY_AUTH_MODE ${#RAY_AUTH_TOKEN} $@"',
        "python": "printf 0123456789abcdef",
    }
    for name, body in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_NODELIST": "node[07-08]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_ON_NODE": "16",
        "SLURM_GPUS_ON_NODE": "4",
    }
    command = [CLUSTERS / "slurm.sh", "--corpus", "/shared/my corpus"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith("token 16 --kill-on-bad-exit=0 --cpus-per-task=16 ray symmetric-run --address node07:6379")
    assert "--min-nodes 2 --num-cpus=16 --num-gpus=4 -- env RAY_ADDRESS=auto python -m pipeline.run" in said
    assert said.endswith("--executor ray --corpus /shared/my corpus\n")


@pytest.mark.parametrize("script", [WORKFLOWS / "job.sh", CLUSTERS / "slurm.sh"], ids=lambda script: script.name)
def test_scripts_are_sound(script):
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)
