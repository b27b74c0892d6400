"""Where the Ray executor asks stages what they need. Ray is a stand-in: a machine has no second node with a GPU."""

from types import SimpleNamespace

import pytest

from fakes.corpus import fake_config
from pipeline.executors import ray as ray_executor
from pipeline.stages.stage import Resources
from pipeline.work.job import Job

HEAD = {"NodeID": "head", "Alive": True, "Resources": {"CPU": 2.0}}
GPU = {"NodeID": "gpu", "Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}}


@pytest.mark.parametrize(
    ("nodes", "here", "sent"),
    [
        ([HEAD], "head", []),
        ([HEAD, GPU], "head", [{"num_cpus": 0, "num_gpus": 1}]),
        ([HEAD, GPU], "gpu", []),
        ([HEAD, GPU | {"Alive": False}], "head", []),
    ],
    ids=["no GPU", "elsewhere", "here", "lost"],
)
def test_stages_are_asked_where_a_gpu_is(new_corpus, monkeypatch, nodes, here, sent):
    tasks = []

    def remote(**options):
        tasks.append(options)
        return lambda function: SimpleNamespace(remote=function)

    stand_in = SimpleNamespace(
        nodes=lambda: nodes,
        get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: here),
        remote=remote,
        get=lambda answer: answer,
    )
    monkeypatch.setattr(ray_executor, "ray", stand_in)
    config = fake_config()
    needs = ray_executor._resources(Job(new_corpus(config), config), {"render", "fit"})
    assert needs == {"render": Resources(1, 0, 0.2), "fit": Resources(1, 0, 0.2)}
    assert tasks == sent
