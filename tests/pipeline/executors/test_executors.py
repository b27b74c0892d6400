"""The same stages in this process, in worker processes and on Ray: equal tables, and no object lost with a worker."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes.corpus import errors_of, fake_config, run_all, uids_of
from fakes.stages import ENDLESS_ITERATIONS, FATAL_ITERATIONS, full_flag
from pipeline import Corpus
from pipeline.base.errors import ConfigError, Timeout, WorkerCrash
from pipeline.base.logs import LogStyle
from pipeline.executors import local
from pipeline.executors.watch import Watch
from pipeline.store.full_disk import is_full
from pipeline.store.schema import TIMING_COLUMNS
from pipeline.work.at_work import AtWork
from pipeline.work.job import Job, ShardReport, Step
from pipeline.work.policy import Policy

STAGES = ["assets", "render", "fit"]
POLICY = Policy()
IMPATIENT = Policy(timeouts=1, look_s=0.1)


@pytest.fixture(params=["processes", "ray"])
def execute(request) -> Callable[..., list[ShardReport]]:
    """Runs all shards of a corpus with two workers."""
    if request.param == "processes":
        run = local.run
    else:
        request.getfixturevalue("ray_cluster")
        from pipeline.executors import ray as ray_executor

        run = ray_executor.run

    def execute(corpus: Corpus, config, stages=STAGES, **options) -> list[ShardReport]:
        reports: list[ShardReport] = []
        chains = {shard: list(stages) for shard in range(corpus.read_json("corpus.json")["shards"])}
        run(Job(corpus, config, **options), chains, 2, reports.append)
        return reports

    return execute


def test_tables_are_equal_to_those_of_this_process(new_corpus, execute):
    config = fake_config()
    here, there = new_corpus(config, "here"), new_corpus(config, "there")
    run_all(here, config)
    reports = execute(there, config)
    assert len(reports) == 9 and sum(report.done for report in reports) == 6 + 5 + 5
    for stage, table in (("assets", "assets"), ("render", "views"), ("fit", "gaussians")):
        assert errors_of(here, stage).keys() == errors_of(there, stage).keys()
        assert here.shards(table) == there.shards(table) == [0, 1, 2]
        for shard in here.shards(table):
            assert here.shard_record(table, shard).fingerprint == there.shard_record(table, shard).fingerprint
            for row, other in zip(here.read_rows(table, shard), there.read_rows(table, shard), strict=True):
                for column in row.keys() - TIMING_COLUMNS:
                    np.testing.assert_equal(row[column], other[column])


@pytest.mark.parametrize(("verbose", "level"), [(True, "INFO"), (False, "WARNING")])
def test_workers_log_as_the_job_says(new_corpus, execute, verbose, level):
    config = fake_config("logs")
    corpus = new_corpus(config)
    execute(corpus, config, ["assets"], log_style=LogStyle(verbose=verbose))
    assert corpus.read_rows("assets", 0)[0]["creator"] == level


def test_an_object_that_kills_its_worker_every_time_ends_alone_as_an_error(new_corpus, execute, fakes):
    config = fake_config("ant,bee,cat,crash,dog,eel,fox,gnu", assets={"shard_size": 4})
    corpus = new_corpus(config)
    execute(corpus, config)
    [(uid, error)] = errors_of(corpus, "render").items()
    assert (uid, error["error_class"], error["attempt"], error["retryable"]) == (
        "crash",
        "WorkerCrash",
        POLICY.losses,
        True,
    )
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]
    events = fakes.read_text().splitlines()
    assert events.count("render crash") == POLICY.losses
    assert events.count("render cat") == 1 + POLICY.losses  # in the batch with it, then alone
    assert list(Path(corpus.root, ".tmp").glob("*.json")) == []


def test_an_object_that_hangs_is_stopped_and_the_others_are_done(new_corpus, execute):
    config = fake_config("ant,bee,dog,eel,hang", assets={"shard_size": 5}, render={"timeout_s": 10.0})
    corpus = new_corpus(config)
    execute(corpus, config, policy=IMPATIENT)
    [(uid, error)] = errors_of(corpus, "render").items()
    assert (uid, error["error_class"], error["attempt"], error["retryable"]) == ("hang", "Timeout", 1, True)
    assert error["message"] == "not done after 10 s; its worker was killed"
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "dog", "eel"]


def test_a_timeout_is_tried_again_once_and_a_crash_twice():
    for error, allowed in ((Timeout("slow"), POLICY.timeouts), (WorkerCrash("gone"), POLICY.losses)):
        again = Step("render", 0)
        while not again.given_up:
            again = again.after_loss(["ant"], error, POLICY)
        assert again.losses == {"ant": allowed}
        assert again.given_up["ant"].error_class == type(error).__name__


def test_a_gpu_actor_that_dies_costs_one_object(new_corpus, ray_cluster):
    from pipeline.executors import ray as ray_executor

    config = fake_config("ant,bee,cat,die,eel,fox", fit={"backend": "gsplat", "num_gaussians": 3})
    corpus = new_corpus(config)
    ray_executor.run(Job(corpus, config), {shard: list(STAGES) for shard in range(2)}, 2, lambda report: None)
    assert {uid: error["error_class"] for uid, error in errors_of(corpus, "fit").items()} == {"die": "WorkerCrash"}
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "eel", "fox"]


def test_a_worker_that_dies_at_its_set_up_every_time_fails_the_shard(new_corpus, execute):
    config = fake_config("ant,bee", fit={"iterations": FATAL_ITERATIONS})
    corpus = new_corpus(config)
    execute(corpus, config, policy=Policy(losses_elsewhere=2))
    assert {uid: error["error_class"] for uid, error in errors_of(corpus, "fit").items()} == {
        "ant": "WorkerCrash",
        "bee": "WorkerCrash",
    }


def test_a_set_up_that_hangs_is_stopped(new_corpus):
    config = fake_config("ant,bee", fit={"iterations": ENDLESS_ITERATIONS})
    corpus = new_corpus(config)
    local.run(Job(corpus, config, policy=IMPATIENT), {0: list(STAGES)}, 2, lambda report: None)
    errors = errors_of(corpus, "fit")
    assert {uid: error["error_class"] for uid, error in errors.items()} == {"ant": "Timeout", "bee": "Timeout"}


def test_a_silent_run_tells_what_it_is_at(new_corpus, caplog):
    corpus = new_corpus(fake_config("ant"))
    watch = Watch(corpus, Policy(look_s=0.0, silence_s=0.0))
    AtWork(corpus, "render", 7).note(["ant", "bee"], 60.0)
    assert watch.overdue({1: Step("render", 7), 2: Step("fit", 8)}) == []
    assert "stage render, shard 7: for 0 s at ant, bee" in caplog.text
    assert "stage fit, shard 8: for 0 s at no object" in caplog.text


def test_a_config_error_in_a_worker_stops_the_run(new_corpus, execute):
    config = fake_config("refuse")
    corpus = new_corpus(config)
    with pytest.raises(ConfigError, match="^render: this machine has no Blender$"):
        execute(corpus, config)


def test_a_full_disk_stops_the_run_and_fails_no_object(new_corpus, execute):
    config = fake_config("ant,bee,cat", assets={"shard_size": 1})
    corpus = new_corpus(config)
    full_flag(corpus).touch()
    with pytest.raises(OSError, match="No space left") as caught:
        execute(corpus, config)
    assert is_full(caught.value) and errors_of(corpus, "render") == {}
    full_flag(corpus).unlink()
    run_all(corpus, config)
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat"]


def test_stage_objects_are_made_once_per_process_and_closed(new_corpus, execute, fakes):
    config = fake_config("a,b,c,d,e,f,g,h", assets={"shard_size": 1})
    execute(new_corpus(config), config, stages=["assets"])
    events = fakes.read_text().splitlines()
    assert 1 <= events.count("setup assets") == events.count("close assets") <= 2
    assert sum(event.startswith("assets ") for event in events) == 8


def test_gpu_stages_run_in_actors_beside_tasks(new_corpus, ray_cluster):
    from pipeline.executors import ray as ray_executor

    config = fake_config(fit={"backend": "gsplat", "num_gaussians": 3})
    corpus = new_corpus(config)
    reports: list[ShardReport] = []
    chains = {shard: list(STAGES) for shard in range(3)}
    ray_executor.run(Job(corpus, config), chains, 2, reports.append)
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "dog", "gnu"]


@pytest.mark.parametrize(("backend", "cpus", "processes"), [("auto", 2, 2), ("gsplat", 2, 1), ("auto", 1, 1)])
def test_default_workers(new_corpus, monkeypatch, backend, cpus, processes):
    started: list[int] = []
    monkeypatch.setattr(local, "default_workers", lambda: cpus)
    monkeypatch.setattr(local.ProcessWorkers, "__init__", lambda self, job, count, threads: started.append(count))
    monkeypatch.setattr(local.ProcessWorkers, "__exit__", lambda self, *_: None)
    monkeypatch.setattr(local, "run_chains", lambda *_: None)
    config = fake_config(fit={"backend": backend})
    local.run(Job(new_corpus(config), config), {0: list(STAGES), 1: list(STAGES)}, 0, lambda report: None)
    assert sum(started) == processes


def test_threads_of_workers_are_limited(new_corpus, execute, monkeypatch):
    monkeypatch.setattr(local, "available_cpus", lambda: 2)
    config = fake_config("threads")
    corpus = new_corpus(config)
    execute(corpus, config, stages=["assets"])
    [row] = corpus.read_rows("assets", 0)
    assert row["creator"] == "1 1 1"


def test_a_worker_that_ends_a_step_after_the_run_was_stopped_says_nothing(new_corpus, capfd):
    config = fake_config()
    corpus = new_corpus(config)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=local._serve, args=(Job(corpus, config), 1, theirs))
    worker.start()
    theirs.close()
    ours.send(Step("assets", 0))
    ours.close()  # as a run does that Ctrl-C has ended
    worker.join(60)
    assert worker.exitcode == 0 and corpus.shards("assets") == [0]
    assert "Traceback" not in capfd.readouterr().err
